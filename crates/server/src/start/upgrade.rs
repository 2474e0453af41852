//! Replacing the program of a running node by the one that lies where it was started from: `kill -USR2`, `salon upgrade`.
//! The new one is tried first, as a child that opens nothing for itself; then all falls quiet, is packed, and the new one is
//! executed in this process. Invariant: until that very moment nothing is given away; whatever fails costs a pause.
//! Next: `salon_handover::Passage`, the phases; `cli/preflight.rs`, what the child does.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use salon_doors::doors::Doors;
use salon_handover::{FORM, Parcel, Phase, Program};
use tokio::task::JoinHandle;

use super::signals::{Signals, Wanted};
use super::{notes, packed};
use crate::config::Config;

/// How long the new program may take to say that it could begin.
const TRIED_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long requests that are under way, sessions, and sockets have: media goes on meanwhile.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);
const SETTLED_WITHIN: Duration = Duration::from_secs(3);
const PACKED_WITHIN: Duration = Duration::from_millis(500);

/// How long the database has to note that this node is about to be away.
const TOLD_WITHIN: Duration = Duration::from_millis(500);

/// How long media threads have, which are quiet from then on.
const MEDIA_WITHIN: Duration = Duration::from_secs(1);

/// More than a program writes when it begins.
const ROOM_BYTES: usize = 1 << 20;

/// Most that is kept of what the new program says.
const WORDS: u64 = 4_096;

/// Waits until the node is told to stop, or another run has taken its name: then true. Whenever it is told to upgrade it becomes
/// the program that lies where this one was started from, or says why not.
pub async fn keep_on(doors: &Doors, mut signals: Signals, (program, fixed): (io::Result<Program>, String), data: &Path) -> bool {
    let given_up = Arc::new(AtomicBool::new(false));
    let mut trial: Option<JoinHandle<anyhow::Result<()>>> = None;
    let why = loop {
        let tried = async {
            match &mut trial {
                Some(trial) => trial.await.map_err(anyhow::Error::from).and_then(|tried| tried),
                None => std::future::pending().await,
            }
        };
        let tried = tokio::select! {
            biased;
            () = doors.hub.taken() => break true,
            told = signals.next() => match (told, &program, &trial) {
                (Wanted::Stop, ..) => break false,
                (Wanted::Upgrade, _, Some(_)) => {
                    tracing::warn!("an upgrade is under way: the signal to upgrade is passed over");
                    continue;
                }
                (Wanted::Upgrade, Ok(program), None) => {
                    tracing::info!(path = %program.path.display(), "told to upgrade");
                    let (program, fixed, given_up) = (program.clone(), fixed.clone(), given_up.clone());
                    trial = Some(tokio::task::spawn_blocking(move || try_out(&program, &fixed, &given_up)));
                    continue;
                }
                (Wanted::Upgrade, Err(error), None) => Err(anyhow::anyhow!("it is not known where this program lies: {error}")),
            },
            tried = tried => tried,
        };
        trial = None;
        let failed = match (tried, &program) {
            (Ok(()), Ok(program)) => {
                // What it is told meanwhile is heard when it comes to nothing, or just before.
                let stopped = AtomicBool::new(false);
                let mut handing_over = pin!(hand_over(doors, data, program, || stopped.load(Ordering::Relaxed)));
                let why = loop {
                    tokio::select! {
                        biased;
                        told = signals.next() => match told {
                            Wanted::Stop => stopped.store(true, Ordering::Relaxed),
                            Wanted::Upgrade => tracing::warn!("an upgrade is under way: the signal to upgrade is passed over"),
                        },
                        why = &mut handing_over => break why,
                    }
                };
                if stopped.load(Ordering::Relaxed) {
                    break false;
                }
                why
            }
            (Err(error), _) => error,
            (Ok(()), Err(error)) => anyhow::anyhow!("it is not known where this program lies: {error}"),
        };
        note(data, Some(&format!("{failed:#}")));
    };
    given_up.store(true, Ordering::Relaxed);
    why
}

/// Notes what came of an upgrade, for whoever waits for it, and for the log.
pub fn note(data: &Path, failed: Option<&str>) {
    match failed {
        None => tracing::info!(version = env!("CARGO_PKG_VERSION"), "upgraded: this program goes on"),
        Some(why) => tracing::error!(why, "not upgraded: this program goes on as before"),
    }
    if let Err(error) = notes::note(data, failed) {
        tracing::warn!(%error, "cannot note what came of the upgrade");
    }
}

/// Of what is handed over, which both programs must mean alike.
pub fn form() -> String {
    format!("{FORM}.{}", salon_sfu::PACKED)
}

/// The settings that a node cannot change without letting go of what it has, as text.
pub fn fixed(config: &Config) -> String {
    let media = &config.media;
    let fixed = [
        ("listen", config.listen.to_string()),
        ("data", config.data.display().to_string()),
        ("database.url", config.database_url()),
        ("node.name", config.node.name.clone()),
        ("media.ip", media.ip.to_string()),
        ("media.port", media.port.to_string()),
        ("media.threads", media.threads.to_string()),
        ("media.single_port", media.single_port.to_string()),
        ("media.tcp_listen", format!("{:?}", media.tcp_listen)),
        ("metrics.listen", format!("{:?}", config.metrics.listen)),
        ("cluster.listen", format!("{:?}", config.cluster.listen)),
    ];
    fixed.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

/// Tries the program that lies there now: whether it could begin with this process's arguments and take over what it has.
/// `given_up` ends the trial.
///
/// # Errors
/// Why it cannot, in its own words where it has any.
pub fn try_out(program: &Program, fixed: &str, given_up: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let path = program.path.display();
    let mut command = Command::new(&program.path);
    command.args(["preflight", "--form", &form(), "--"]).args(&program.arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{path} cannot be started"))?;
    // One that does not read says why.
    let _ = child.stdin.take().map(|mut said| said.write_all(fixed.as_bytes()));
    let heard = child.stderr.take().map(|words| {
        std::thread::spawn(move || {
            let mut heard = String::new();
            let mut words = io::BufReader::new(words);
            let _ = words.by_ref().take(WORDS).read_to_string(&mut heard);
            // The rest, so that it does not wait for somebody to read it.
            let _ = io::copy(&mut words, &mut io::sink());
            heard
        })
    });
    let until = Instant::now() + TRIED_WITHIN;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() >= until || given_up.load(Ordering::Relaxed) {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let heard = heard.and_then(|heard| heard.join().ok()).unwrap_or_default();
    let words = heard.trim().strip_prefix("salon: ").unwrap_or(heard.trim());
    match status {
        Some(status) if status.success() => Ok(()),
        None => bail!("{path} did not say within {} s whether it could begin", TRIED_WITHIN.as_secs()),
        Some(status) if words.is_empty() => bail!("{path} cannot begin: {status}"),
        Some(_) => bail!("{path} cannot begin: {words}"),
    }
}

/// Hands everything over to the program that lies there now, in this process. Returns only if that cannot be, and then all goes
/// on here. `stopped` says whether the process was told to stop meanwhile.
pub async fn hand_over(doors: &Doors, data: &Path, program: &Program, stopped: impl Fn() -> bool) -> anyhow::Error {
    let gone = match can_write(data).with_context(|| format!("nothing can be written to {}", data.display())) {
        Ok(()) => go(doors, program, stopped).await,
        Err(error) => Err(error),
    };
    let error = match gone {
        Ok(error) => anyhow::Error::new(error).context(format!("{} cannot be executed", program.path.display())),
        Err(error) => error,
    };
    doors.passage.reopen();
    error
}

/// Whether there is room for what a program writes when it begins.
fn can_write(data: &Path) -> io::Result<()> {
    let file = data.join("upgrade.try");
    let written = std::fs::write(&file, vec![0; ROOM_BYTES]);
    let _ = std::fs::remove_file(file);
    written
}

async fn go(doors: &Doors, program: &Program, stopped: impl Fn() -> bool) -> anyhow::Result<io::Error> {
    let Doors { passage, media, clock, alive, hub, quality, store, .. } = doors;
    // What is left of it is of the last moments.
    let saved = tokio::time::timeout(SETTLED_WITHIN, quality.save(store, clock.now(), true)).await;
    saved.context("the database does not answer")?.context("the quality of calls cannot be saved")?;
    let began = Instant::now();
    let cut = passage.go_on(Phase::Closing, CLOSED_WITHIN).await;
    let unsettled = passage.go_on(Phase::Settling, SETTLED_WITHIN).await;
    ensure!(unsettled == 0, "{unsettled} sessions cannot be saved: the database does not answer");
    let told = tokio::time::timeout(TOLD_WITHIN, hub.hands_over()).await;
    ensure!(
        matches!(told, Ok(Ok(()))) && hub.holds(),
        "this node cannot renew its claim on its sessions: the database does not answer"
    );
    let slow = passage.go_on(Phase::Packing, PACKED_WITHIN).await;
    let packed = tokio::time::timeout(MEDIA_WITHIN, media.sfu.pack()).await;
    let (threads, _held) = packed.context("the media threads do not answer")??;
    let _ = alive.tell(clock.now()).context("cannot note when this node last told something")?;
    let mut parcels: Vec<Parcel> = passage.parcels();
    parcels.extend(packed::media(&threads));
    parcels.push(packed::elsewhere_packed(media.elsewhere()));
    parcels.push(packed::moment(clock.moment()));
    ensure!(!stopped(), "the process is told to stop");
    let ms = began.elapsed().as_millis() as u64;
    tracing::info!(path = %program.path.display(), parcels = parcels.len(), cut, slow, ms, threads = threads.len(), "handing over");
    Ok(program.replace(parcels))
}
