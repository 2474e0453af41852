//! Starting and stopping a node, and the handles every door shares.
//! Order of starting: store, clock, media, sessions left behind, doors. Stopping goes the other way.
//! Invariant: the node is ready only when the sessions it found are live again.
//! Next: `hub.rs`, `rest.rs`, `signaling.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::serve::ListenerExt;
use salon_core::{AccountId, AppId, Timestamp};
use salon_edge::{Aside, Door, Port, aside_only};
use salon_live::{Alive, Clock, Figures, Hub, Outlets, Parts};
use salon_media::Owners;
use salon_store::{ApiKey, OpenOptions, RunId, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{Keys, digest};
use crate::config::{Config, DEV_ACCOUNT, DEV_APP, DEV_TOKEN, Mode};
use crate::doors::Doors;
use crate::quality::{self, Quality};
use crate::signaling::to_wire;
use crate::telemetry::{Metrics, scrape};
use crate::token::Tokens;
use crate::{joint, rest, signaling};
use salon_files::{self as files, Files};

/// How long a node that starts may take to go on with sessions that were left behind, before it lets people in. Those that
/// are left then follow in the background, or when somebody comes.
const ADOPT_WITHIN: Duration = Duration::from_secs(30);

/// How long each of the last steps of stopping may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// How long open requests and sessions have to finish when the node is told to stop.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// A node that runs; tests start several in one process.
pub struct Running {
    pub doors: Doors,
    /// Where it accepts requests.
    pub addr: SocketAddr,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Runs a node until it is told to stop by SIGINT or SIGTERM.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let node = config.node.name.clone();
    let running = start(config).await?;
    println!("salon ready http://{}", running.addr);
    let hub = running.doors.hub.clone();
    let taken = tokio::select! {
        () = stop_signal() => false,
        () = hub.taken() => true,
    };
    tracing::info!("stopping");
    running.stop().await?;
    anyhow::ensure!(!taken, "another Salon runs as node {node:?}: two that share a database need names of their own (node.name)");
    Ok(())
}

/// Starts a node and answers when it accepts requests.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    std::fs::create_dir_all(&config.data).with_context(|| format!("cannot make the data directory {}", config.data.display()))?;
    let url = config.database_url();
    let options = OpenOptions { url, durable: config.database.durable, max_connections: config.database.max_connections };
    let store = Store::open(&options).await.context("cannot open the database")?;
    store.migrate().await.context("cannot bring the database up to date")?;

    let (alive, last_beat) =
        Alive::open(&config.data.join("alive")).with_context(|| format!("cannot write to {}", config.data.display()))?;
    let alive = Arc::new(alive);
    let clock = Clock::start();
    if config.mode == Mode::Dev {
        prepare_dev(&store, clock.now()).await.context("cannot prepare the dev account")?;
    }
    let files = Files::open(&config.files_settings())?;
    let secret = store.setting_or_insert("token_secret", &fresh_secret()).await?;
    let mut metrics = Metrics::new();
    let figures = Figures::registered(metrics.registry());
    let metrics = Arc::new(metrics);
    let tasks = TaskTracker::new();
    let stop = CancellationToken::new();
    let in_use = || format!("cannot listen on {}; is another server using it?", config.listen);
    let http = Port::take(config.listen).with_context(in_use)?;
    let addr = http.address()?;
    let shares = config.media.tcp && config.media.tcp_listen.is_empty();
    let mut media_ports = Vec::new();
    let mut tcp = if shares { vec![addr] } else { Vec::new() };
    for address in &config.media.tcp_listen {
        let taken = Port::take(*address).and_then(|port| Ok((port.address()?, port)));
        let (at, port) = taken.with_context(|| format!("cannot listen on {address} (media.tcp_listen)"))?;
        tcp.push(at);
        media_ports.push(port);
    }
    let (sfu, media_events) = start_media(&config, &secret, &crate::start::announced::announced(&config, &tcp))?;
    let (media, media_news) = Owners::new(sfu.clone());
    let media = Arc::new(media);
    let parts = Parts {
        store: store.clone(),
        outlets: Outlets { media: Arc::new(joint::Media(media.clone())), frame: to_wire::pushes::frame },
        clock: clock.clone(),
        figures,
        limits: config.limits(),
        max_sockets_per_meeting: config.limits.sockets_per_meeting,
        run: RunId::new(uuid::Uuid::new_v4().to_string()),
        name: config.node.name.clone(),
        tasks: tasks.clone(),
    };
    let hub = Hub::register(parts, last_beat).await?;
    hub.keep(alive.clone(), &stop);
    let adopted = hub.adopt_orphans(ADOPT_WITHIN).await.context("cannot go on with the sessions of the last run")?;
    if adopted > 0 {
        tracing::info!(sessions = adopted, "going on with live sessions");
    }

    let http = http.open().with_context(in_use)?;
    let aside = media_aside(sfu.clone());
    for port in media_ports {
        let port = port.open().context("cannot open a port for media over TCP")?;
        tasks.spawn(aside_only(port, aside.clone(), stop.clone()));
    }
    let door = Door::new(http, shares.then_some(aside)).tap_io(|_| {});
    let doors = Doors {
        keys: Keys::new(store.clone()),
        tokens: Tokens::new(secret.as_bytes(), config.limits.token_days),
        scrape: scrape(metrics.clone(), hub.clone(), sfu),
        store,
        clock: clock.clone(),
        hub: hub.clone(),
        media: media.clone(),
        alive,
        files,
        metrics,
        quality: Quality::default(),
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    tasks.spawn(files::sweep(
        doors.files.clone(),
        doors.store.clone(),
        {
            let clock = clock.clone();
            move || clock.now()
        },
        stop.clone(),
    ));
    tasks.spawn(quality::watch(
        doors.quality.clone(),
        media.clone(),
        doors.hub.clone(),
        doors.store.clone(),
        clock,
        stop.clone(),
    ));
    tasks.spawn(salon_media::listen(media, media_events, stop.clone()));
    tasks.spawn(joint::tell(hub, media_news, tasks.clone(), stop.clone()));
    let socket = signaling::door(&doors, config.signaling_settings());
    let router = rest::router(doors.clone(), config.rest_settings(), config.page_settings(), &[("/ws", socket)]);
    let server = tokio::spawn(async move {
        axum::serve(door, router.into_make_service_with_connect_info::<SocketAddr>())
            .with_graceful_shutdown(async move { stop.cancelled().await })
            .await
    });
    Ok(Running { doors, addr, server })
}

impl Running {
    /// Stops accepting, lets sockets go so that their clients come back, and closes the store.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Doors { store, hub, media, clock, alive, stop, tasks, .. } = self.doors;
        stop.cancel();
        // A client that holds a connection open must not keep the node from stopping, nor must a store that hangs.
        let _ = tokio::time::timeout(STOP_WITHIN, self.server).await;
        let written = alive.tell(clock.now());
        hub.close();
        tasks.close();
        let _ = tokio::time::timeout(STOP_WITHIN, tasks.wait()).await;
        match tokio::time::timeout(LEAVE_WITHIN, hub.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "other nodes will wait before they go on with this node's sessions"),
            Err(_) => tracing::warn!("the store takes too long to hear that this node stops"),
        }
        let _ = tokio::time::timeout(LEAVE_WITHIN, media.sfu.stop()).await;
        let _ = tokio::time::timeout(LEAVE_WITHIN, store.close()).await;
        written.map(drop).context("cannot note when this node stopped")
    }
}

/// Connections over TCP that are for the media server.
fn media_aside(sfu: salon_sfu::Sfu) -> Aside {
    let take = move |stream| {
        let sfu = sfu.clone();
        tokio::spawn(async move { sfu.adopt(stream).await });
    };
    Aside { begins: salon_sfu::begins_media, take: Arc::new(take) }
}

/// The media server, on the configured port; for `salon dev` a default port that is taken gives way to a free one.
fn start_media(
    config: &Config,
    secret: &str,
    tcp: &[SocketAddr],
) -> anyhow::Result<(salon_sfu::Sfu, tokio::sync::mpsc::Receiver<salon_sfu::Event>)> {
    let with = |port| salon_sfu::Config {
        bind: SocketAddr::new(config.media.ip, port),
        threads: config.media.threads,
        single_port: config.media.single_port,
        room_per_thread: config.media.room_per_thread,
        announce: config.media.announce.clone(),
        tcp: tcp.to_vec(),
        secret: Some(salon_sfu::Secret(digest(&format!("ice {secret}")))),
        limits: config.media_limits(),
    };
    match salon_sfu::start(with(config.media.port)) {
        Err(error) if config.mode == Mode::Dev && config.media.port_is_default => {
            tracing::warn!(port = config.media.port, %error, "the default media port is taken, using a free one");
            salon_sfu::start(with(0)).context("cannot open a media port")
        }
        started => started.with_context(|| format!("cannot open the media port {}", config.media.port)),
    }
}

/// The account, app and token that `salon dev` promises.
async fn prepare_dev(store: &Store, now: Timestamp) -> anyhow::Result<()> {
    let account = AccountId::parse(DEV_ACCOUNT)?;
    let app = AppId::parse(DEV_APP)?;
    if store.app(&app).await?.is_none() {
        let row = salon_store::App { id: app.clone(), account: account.clone(), name: DEV_APP.to_string(), created_at: now };
        store.create_app(&row, &crate::flows::presets::defaults(&app, now)).await?;
    }
    let key = ApiKey { hash: digest(DEV_TOKEN), account, email: None, label: "salon dev".to_string(), created_at: now };
    store.insert_api_key(&key).await?;
    Ok(())
}

/// 256 random bits as text.
fn fresh_secret() -> String {
    let mut bytes = [0u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
