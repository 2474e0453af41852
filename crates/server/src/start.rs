//! Starting and stopping a node: the one place that knows all its parts.
//! Order of starting: store, clock, media, also for other nodes, sessions left behind, doors. Stopping goes the other way.
//! Invariant: the node is ready only when the sessions it found are live again.
//! A part that is new is a line here and a file of its own.

mod announced;
mod certificate;
mod descriptors;
mod dev;
mod ingest;
mod joint;
mod media;
mod memory;
mod nodes;
pub mod notes;
mod packed;
pub mod retention;
mod secret;
mod shared;
mod signals;
pub mod upgrade;
mod warnings;
mod work;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use salon_cluster::Hint;
use salon_doors::doors::Doors;
use salon_doors::keys::Keys;
use salon_doors::metrics::Metrics;
use salon_doors::pipes::Pipes;
use salon_doors::recording_links::Links;
use salon_doors::signaling::to_wire::pushes;
use salon_doors::tokens::Tokens;
use salon_doors::{rest, signaling, webhook_payload};
use salon_edge::{Door, Port, aside_only};
use salon_files::Files;
use salon_handover::{Passage, Program, Received};
use salon_live::{Alive, AllHanded, Clock, Figures, Hub, Moment, Outlets, Parts};
use salon_media::{Owners, Spread};
use salon_quality::Quality;
use salon_recordings::{Livestreams, Stops};
use salon_store::{OpenOptions, RunId, Store};
use salon_webhooks::{Fetch, Guard, Webhooks};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::notes::Noted;
use self::signals::{Signals, Wanted};
use self::work::Hands;
use crate::config::{Config, Mode};
use crate::private::make_folder;
use crate::telemetry;

/// How long a node that starts may take to go on with sessions that were left behind, before it lets people in. Those that
/// are left then follow in the background, or when somebody comes.
const ADOPT_WITHIN: Duration = Duration::from_secs(30);

/// How long each of the last steps of stopping may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// How long open requests and sessions have to finish when the node is told to stop.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// By what the port for HTTP is handed over.
const HTTP: &str = "http";

/// A node that runs; tests start several in one process.
pub struct Running {
    pub doors: Doors,
    /// Where it accepts requests.
    pub addr: SocketAddr,
    server: JoinHandle<()>,
    /// Its name among nodes, and what it tells them.
    name: String,
    talk: Option<nodes::Talk>,
    /// Of a worker: that it is to take no more.
    ends: Option<CancellationToken>,
}

/// Runs a node until it is told to stop by SIGINT or SIGTERM, or becomes another program by SIGUSR2. With what a program before
/// handed over it goes on with that, and takes it when it cannot be given back any more.
pub async fn run(config: Config, handed: &mut Option<Received>) -> anyhow::Result<()> {
    let (program, fixed) = (Program::of_this_process(), upgrade::fixed(&config));
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    salon_handover::await_signals();
    let (node, data) = (config.node.name.clone(), config.data.clone());
    let came_back = handed.as_ref().and_then(|handed| handed.came_back.clone());
    let running = {
        let mut starting = pin!(start_with(config, handed.as_ref()));
        loop {
            tokio::select! {
                running = &mut starting => break running?,
                told = signals.next() => match told {
                    Wanted::Stop => return Ok(()),
                    Wanted::Upgrade => tracing::warn!("it was just started: the signal to upgrade is passed over"),
                },
            }
        }
    };
    let was_handed = handed.take().is_some();
    let _noted = Noted::this_process(&data).inspect_err(|error| {
        tracing::warn!(%error, "cannot note which process runs here: `salon upgrade` will not find it");
    });
    if was_handed {
        upgrade::note(&data, came_back.as_deref());
    }
    // Nobody may be left who reads it.
    let _ = writeln!(io::stdout(), "salon ready http://{}", running.addr).and_then(|()| io::stdout().flush());
    let taken = upgrade::keep_on(&running.doors, signals, (program, fixed), &data).await;
    if let Some(ends) = &running.ends {
        work::finish(&running.doors.recordings, ends).await?;
    }
    tracing::info!("stopping");
    running.stop().await?;
    anyhow::ensure!(!taken, "another Salon runs as node {node:?}: two that share a database need names of their own (node.name)");
    Ok(())
}

/// The node's clock: goes on with that of the program before, and by the time of a database that nodes share.
async fn clock(store: &Store, handed: Option<Moment>) -> anyhow::Result<Clock> {
    let asked = Instant::now();
    let time = store.time().await.context("the database does not say what time it is")?.map(|time| (time, asked.elapsed()));
    Ok(match (handed, time) {
        (None, None) => Clock::start(),
        (None, Some((time, asked_for))) => Clock::start_by(time, asked_for),
        (Some(moment), time) => {
            let clock = Clock::go_on(moment);
            time.map(|(time, asked_for)| clock.follow(time, asked_for));
            clock
        }
    })
}

/// Starts a node and answers when it accepts requests.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    start_with(config, None).await
}

/// The same with what a program before handed over, whose place this one takes.
async fn start_with(mut config: Config, handed: Option<&Received>) -> anyhow::Result<Running> {
    make_folder(&config.data).with_context(|| format!("cannot make the data directory {}", config.data.display()))?;
    let recordings = config.recordings_folder();
    make_folder(&recordings).with_context(|| format!("cannot make recording.folder {}", recordings.display()))?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let mut registry = telemetry::registry();
    let store = open_store(&config).await?;
    let (alive, last_beat) =
        Alive::open(&config.data.join("alive")).with_context(|| format!("cannot write to {}", config.data.display()))?;
    let clock = clock(&store, packed::handed_moment(handed)?).await?;
    let (alive, passage) = (Arc::new(alive), Passage::default());
    if config.mode == Mode::Dev {
        dev::prepare(&store, clock.now()).await.context("cannot prepare the dev account")?;
    }
    let files = Files::open(&config.files_settings())?;
    let is_worker = config.mode == Mode::Worker;
    shared::look(&store, &files, (is_worker, &config.node.name), &config.data, clock.now()).await?;
    let secret = store.setting_or_insert("token_secret", &secret::fresh()).await?;

    let listen = config.listen;
    let in_use = move || format!("cannot listen on {listen}; is another server using it?");
    let http = Port::handed(packed::all(handed, &Port::packed_as(HTTP))?, config.listen).with_context(in_use)?;
    let addr = http.address()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %addr, store = config.database_shown(), "starting");
    warnings::tell(&config, &store).await?;
    descriptors::fit(&mut config);
    let tcp = media::TcpPorts::take(&config, addr, handed)?;
    let (sfu, media_events, resumed) = media::start(&config, &secret, &tcp, packed::handed_media(handed)?)?;
    let nodes = nodes::nodes(&store, &secret)?;
    let spread = nodes.as_ref().and_then(|nodes| Spread::new(sfu.clone(), nodes.clone(), passage.clone(), stop.clone()));
    let (spread, heard_of_nodes) = spread.unzip();
    let (owners, media_news) = Owners::resume(sfu.clone(), resumed, spread);
    let owners = Arc::new(owners);
    packed::elsewhere(handed)?.iter().for_each(|elsewhere| owners.go_on_elsewhere(elsewhere));
    if let Some(heard) = heard_of_nodes {
        tasks.spawn(salon_media::listen_to_nodes(owners.clone(), heard, stop.clone()));
    }
    let connections = salon_edge::Figures::registered(&mut registry);
    let opens =
        nodes::Opens { config: &config, connections: &connections, passage: &passage, tasks: &tasks, stop: &stop, handed };
    let opened = nodes.as_ref().map(|nodes| nodes::open(opens, nodes, owners.spread())).transpose()?.flatten();
    let run = RunId::new(uuid::Uuid::new_v4().to_string());
    let (hints, line) = nodes::hints(&config, &store, &secret);
    let moved = Arc::new({
        let hints = hints.clone();
        move |node: &str| hints.tell(Hint::Moved(node.to_owned()))
    });
    let stops = Stops::default();
    let parts = Parts {
        store: store.clone(),
        outlets: Outlets {
            media: Arc::new(joint::Media(owners.clone())),
            stop_recording: joint::stop(stops.clone()),
            frame: pushes::frame,
            moved,
        },
        clock: clock.clone(),
        figures: Figures::registered(&mut registry),
        limits: config.limits(),
        max_sockets_per_meeting: config.limits.sockets_per_meeting,
        run: run.clone(),
        name: config.node.name.clone(),
        passage: passage.clone(),
        handed: AllHanded::read(packed::all(handed, salon_live::SESSION)?.iter().map(|packed| packed.note.as_str())),
        tasks: tasks.clone(),
    };
    let hub = Hub::register(parts, last_beat).await?;
    if is_worker {
        work::begin(&config, &store, &run).await?;
    }
    hub.keep(alive.clone(), &stop);
    let adopted = match is_worker {
        true => 0,
        false => hub.adopt_orphans(ADOPT_WITHIN).await.context("cannot go on with the sessions of the last run")?,
    };
    if adopted > 0 {
        tracing::info!(sessions = adopted, "going on with live sessions");
    }
    owners.finds_by(joint::find(hub.clone()));
    if handed.is_none() {
        owners.keep(|meeting| hub.find(meeting.as_str()).is_some());
    }
    let http = http.open().with_context(in_use)?;
    let aside = media::aside(sfu.clone());
    for (number, port) in tcp.own.into_iter().enumerate() {
        let port = port.open().context("cannot open a port for media over TCP")?;
        let passing = (passage.clone(), media::TcpPorts::name(number));
        tasks.spawn(aside_only(port, aside.clone(), passing, stop.clone()));
    }
    let door = Door::new(http, tcp.shares.then_some(aside), config.bounds(), config.patience(), &connections);
    let door = door.passing(&passage, HTTP, packed::all(handed, &Door::connections(HTTP))?);
    let key = salon_webhooks::Key::new(store.clone());
    let tokens = Tokens::new(secret.as_bytes(), config.limits.token_days);
    let guard = Arc::new(Guard::new(config.open_networks()));
    let hands = Hands {
        store: store.clone(),
        hub: hub.clone(),
        clock: clock.clone(),
        tokens: tokens.clone(),
        tasks: tasks.clone(),
        stop: stop.clone(),
        fetch: Fetch::new(guard.clone())?,
        guard: guard.clone(),
    };
    let ingest = ingest::open(&config)?;
    let ingest_at = ingest.as_ref().map(TcpListener::local_addr).transpose()?;
    let recordings = hands.recordings(config.recordings_settings(addr, ingest_at), files.clone(), stops);
    let figures = salon_transcripts::Figures::registered(&mut registry);
    let transcripts = hands.transcripts(config.transcripts_settings(addr)?, figures);
    let livestreams = Livestreams::beside(&recordings);
    let webhooks = Webhooks { guard, key };
    let tell = salon_webhooks::Parts {
        store: store.clone(),
        guard: webhooks.guard.clone(),
        key: webhooks.key.clone(),
        figures: salon_webhooks::Figures::registered(&mut registry),
        run: run.clone(),
        now: Box::new({
            let clock = clock.clone();
            move || clock.now()
        }),
        body: {
            let links = Links { tokens: tokens.clone(), here: config.public_address(addr).into() };
            Box::new(move |notice, app_name| webhook_payload::body(notice, app_name, &links))
        },
        keep_days: config.webhooks.keep_days,
    };
    let doors = Doors {
        keys: Keys::new(store.clone(), hints.clone()),
        tokens,
        recordings: recordings.clone(),
        transcripts: transcripts.clone(),
        livestreams: livestreams.clone(),
        metrics: Arc::new(Metrics::registered(&mut registry)),
        pipes: Pipes::registered(&mut registry, stop.clone()),
        scrape: telemetry::scrape(registry, hub.clone(), sfu),
        quality: Quality::default(),
        webhooks,
        media: owners.clone(),
        nodes,
        store,
        hub,
        clock,
        alive,
        files,
        passage,
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    let Doors { store, hub, clock, .. } = doors.clone();
    tasks.spawn(joint::tell(hub.clone(), media_news, tasks.clone(), stop.clone()));
    tasks.spawn(salon_media::listen(owners.clone(), media_events, stop.clone()));
    tasks.spawn(salon_media::evict_overdue(owners.clone(), stop.clone()));
    tasks.spawn(salon_media::reunite(owners.clone(), stop.clone()));
    tasks.spawn(salon_quality::watch(doors.quality.clone(), owners, hub, store.clone(), clock.clone(), stop.clone()));
    tasks.spawn(salon_live::index_people(store.clone(), stop.clone()));
    tasks.spawn(salon_webhooks::deliver(tell, stop.clone()));
    let (days, now) = (retention::Days::of(&config), {
        let clock = clock.clone();
        move || clock.now()
    });
    tasks.spawn(retention::sweep(store.clone(), days, now, stop.clone()));
    let store_is_shared = store.is_shared();
    tasks.spawn(salon_files::sweep(doors.files.clone(), store, move || clock.now(), stop.clone()));
    if let Some(why) = config.missing_engine() {
        tracing::warn!("{why}");
    }
    let ends = CancellationToken::new();
    if is_worker {
        tasks.spawn(recordings.clone().work(livestreams.clone(), ends.clone()));
    } else if store_is_shared {
        tasks.spawn(salon_recordings::watch_workers(recordings.clone(), livestreams.clone()));
    }
    work::go_on(recordings, transcripts, livestreams.clone(), &tasks).await?;
    if let Some(ingest) = ingest {
        // Those that were streamed before are known by now.
        tasks.spawn(salon_recordings::take_streams(ingest, livestreams, stop.clone()));
    }
    let scrapes = rest::metrics_router(&doors, config.rest_settings().scraping);
    for (number, address) in config.metrics.listen.iter().enumerate() {
        let name = format!("metrics {number}");
        let taken = Port::handed(packed::all(handed, &Port::packed_as(&name))?, *address).and_then(Port::open);
        let port = taken.with_context(|| format!("cannot listen on {address} (metrics.listen)"))?;
        let door = Door::new(port, None, config.bounds(), config.patience(), &connections);
        let door = door.passing(&doors.passage, &name, packed::all(handed, &Door::connections(&name))?);
        tasks.spawn(door.serve(scrapes.clone(), stop.clone()));
    }
    let porch = signaling::porch(&doors, config.signaling_settings());
    if handed.is_some() {
        let seats = door.seats();
        let seat = |descriptor: OwnedFd| {
            let number = descriptor.as_raw_fd();
            seats(descriptor).map(|seat| (number, Box::new(seat) as _))
        };
        let sockets = porch.take_up(packed::all(handed, signaling::SOCKET)?, seat).await;
        let sockets = sockets + porch.take_up_piped(packed::all(handed, salon_cluster::PIPE)?, door.seats());
        doors.hub.all_taken_up().await;
        doors.media.keep(|meeting| doors.hub.find(meeting.as_str()).is_some());
        tracing::info!(sockets, "going on with websockets of the program before");
    }
    let socket = signaling::door(porch);
    let router = rest::router(doors.clone(), config.rest_settings(), config.page_settings(), &[("/ws", socket)]);
    if doors.nodes.is_some() {
        nodes::serve(opened, &doors, &run, router.clone()).await?;
    }
    let talk = line.map(|line| nodes::Talk::begin(line, hints, &doors));
    let server = tokio::spawn(door.serve(router, stop));
    let ends = is_worker.then_some(ends);
    Ok(Running { doors, addr, server, name: config.node.name, talk, ends })
}

async fn open_store(config: &Config) -> anyhow::Result<Store> {
    let url = config.database_url();
    let options = OpenOptions { url, durable: config.database.durable, max_connections: config.database.max_connections };
    let store = Store::open(&options).await.context("cannot open the database")?;
    store.migrate().await.context("cannot bring the database up to date")?;
    Ok(store)
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
        if let Some(talk) = self.talk {
            talk.end(&self.name, LEAVE_WITHIN).await;
        }
        let _ = tokio::time::timeout(LEAVE_WITHIN, media.sfu.stop()).await;
        let _ = tokio::time::timeout(LEAVE_WITHIN, store.close()).await;
        written.map(drop).context("cannot note when this node stopped")
    }
}
