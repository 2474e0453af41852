//! One session that is listened to: its robot, whom it hears, what becomes of the pieces it cuts, and the transcript at the end.
//! Invariant: a piece is deleted when it is written down and not before, and everybody is told after that; the end is told when
//! nothing is left. What nobody can say right now is asked again, and never taken for a no.
//! Next: `pieces.rs`, which piece is next; `enabled.rs`, who is written down.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use salon_core::{ParticipantId, PeerId, Timestamp};
use salon_recorder::job::{Job as Told, Kind, Order, Saying};
use salon_recorder::voices::{PART, rescue};
use salon_recordings::{Heard, Process, again, parts_of};
use salon_store::{Listening, ListeningState, Meeting, WrittenPiece};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::desk::{Desk, NodeStops};
use crate::enabled::Enabled;
use crate::pieces::{Piece, list, plan};
use crate::sound::{How, Said, Sound};
use crate::summaries;

/// How often it is looked for pieces, and whether the session is over.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const ASK_EVERY: Duration = Duration::from_secs(2);

/// A robot that is told to stop has so long.
const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// Pieces of one session that are with the engine or wait for their turn at it.
const AT_ONCE: usize = 8;

/// Pauses between tries of one piece, in seconds; then it is lost.
const AGAIN_SECS: [u64; 5] = [1, 5, 20, 60, 300];

/// How long a piece waits that was written and could not be kept.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

/// Failures in a row after which the engine is left alone for a while, and for how long at most, in seconds.
const REST_SECS: u64 = 60;

/// Between two things that one speaker may be saying.
const PARTIAL_EVERY: Duration = Duration::from_millis(500);

/// What an engine may be writing that waits to be told.
const PARTIALS: usize = 64;

struct Job {
    desk: Arc<Desk>,
    listening: Listening,
    folder: PathBuf,
    look: Arc<Notify>,
    /// As it was when it was last looked at.
    meeting: Option<Meeting>,
    /// Whose words are written down also where the meeting does not want everybody's.
    enabled: Enabled,
    /// Of whom everybody is told at once what they say: peers who were here since this run of the node began.
    told_at_once: HashSet<String>,
    /// Whom the robot hears: participants, or everybody.
    heard: Option<Vec<String>>,
    /// Whom it hears it is yet to be told, or nobody could say.
    is_due: bool,
    pieces: Vec<Piece>,
    busy: HashSet<String>,
    late: HashSet<PathBuf>,
    tries: HashMap<PathBuf, (usize, Instant)>,
    rests_until: Option<Instant>,
    failures: u32,
    lost: u64,
    why: String,
    running: JoinSet<Written>,
    partials: (mpsc::Sender<Partial>, mpsc::Receiver<Partial>),
    told: HashMap<String, Instant>,
    /// The session is over.
    is_over: bool,
}

struct Partial {
    peer: String,
    at_ms: i64,
    text: String,
}

/// A piece that the engine has had.
struct Written {
    piece: Piece,
    is_told: bool,
    said: anyhow::Result<Vec<Said>>,
}

/// Sees to one until its transcript may be had, or the node stops.
pub async fn run(desk: &Arc<Desk>, listening: Listening, look: Arc<Notify>) {
    // What is not done then is found again.
    let _ = see_to(desk, listening, look).await;
}

async fn see_to(desk: &Arc<Desk>, listening: Listening, look: Arc<Notify>) -> Result<(), NodeStops> {
    let folder = desk.parts.settings.folder.join(listening.id.as_str());
    let enabled = desk.patiently(|| Enabled::of(&folder)).await?;
    let meeting = desk.patiently(|| desk.parts.store.meeting_of(&listening.meeting)).await?;
    let mut job = Job {
        desk: desk.clone(),
        folder,
        look,
        meeting,
        enabled,
        told_at_once: HashSet::new(),
        heard: Some(Vec::new()),
        is_due: true,
        pieces: Vec::new(),
        busy: HashSet::new(),
        late: HashSet::new(),
        tries: HashMap::new(),
        rests_until: None,
        failures: 0,
        lost: 0,
        why: String::new(),
        running: JoinSet::new(),
        partials: mpsc::channel(PARTIALS),
        told: HashMap::new(),
        is_over: false,
        listening,
    };
    job.look_around().await;
    if job.listening.state == ListeningState::Listening {
        job.listen().await?;
    }
    job.write_the_rest().await
}

impl Job {
    /// Hears until the session is over, or robots die too often.
    async fn listen(&mut self) -> Result<(), NodeStops> {
        let mut part = parts_of(&self.folder);
        // One of an earlier run may be at it still.
        let mut process = if part > 0 { Ok(Process::found(&self.folder.join(part.to_string()))) } else { self.start(&mut part) };
        let mut began = self.desk.parts.clock.now();
        let mut stops_at: Option<Instant> = None;
        loop {
            if let Ok(process) = &mut process {
                self.follow(process, &mut stops_at).await?;
                process.kill();
            }
            self.rescue(part).await;
            self.ask_whether_over().await;
            let now = self.desk.parts.clock.now();
            if self.is_over {
                break;
            }
            let id = &self.listening.id;
            let why = match &process {
                Ok(process) => process.last_words(),
                Err(error) => format!("it cannot be started: {error:#}"),
            };
            tracing::warn!(listening.id = %id, part, why, "a robot that listens has ended");
            if !again(part, began.0, now.0) {
                tracing::warn!(listening.id = %id, "robots that listen die: nothing more of this session is heard");
                break;
            }
            if !self.look_around().await {
                // Another node may have the session, and hears it.
                self.heard = Some(Vec::new());
            }
            began = now;
            process = self.start(&mut part);
        }
        self.desk.patiently(|| self.desk.parts.store.end_listening(&self.listening.id)).await
    }

    /// Starts a robot for the next part.
    fn start(&self, part: &mut u32) -> anyhow::Result<Process> {
        *part += 1;
        let folder = self.folder.join(part.to_string());
        std::fs::create_dir_all(&folder)?;
        let folder = folder.canonicalize()?;
        let settings = &self.desk.parts.settings;
        let job = Told {
            id: self.listening.id.to_string(),
            server: settings.server.clone(),
            meeting_id: self.listening.meeting.to_string(),
            token: (self.desk.parts.pass)(&self.listening),
            folder,
            name: "voices".to_owned(),
            kind: Kind::Voices,
            user_ids: self.heard.clone(),
            video: None,
            audio: None,
            live: false,
            rtmp: None,
            ingest: None,
            ffmpeg: PathBuf::from("ffmpeg"),
        };
        Process::start(&settings.program, &job)
    }

    /// Until the robot says no more.
    async fn follow(&mut self, process: &mut Process, stops_at: &mut Option<Instant>) -> Result<(), NodeStops> {
        let stop = self.desk.parts.stop.clone();
        let (mut look, mut ask) = (tokio::time::interval(LOOK_EVERY), tokio::time::interval(ASK_EVERY));
        let notified = self.look.clone();
        // What one of an earlier run was told last is not known.
        self.is_due = true;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(NodeStops),
                () = notified.notified() => self.turn(process).await,
                heard = process.hear() => match heard {
                    Heard::Said(Saying::Finished { .. } | Saying::Failed { .. }) | Heard::Ended => return Ok(()),
                    Heard::Said(_) => self.turn(process).await,
                },
                Some(written) = self.running.join_next() => if let Ok(written) = written { self.take(written).await; },
                Some(partial) = self.partials.1.recv() => self.tell_partial(partial).await,
                _ = look.tick() => {
                    self.write_next().await;
                }
                _ = ask.tick() => {
                    if self.is_due {
                        self.turn(process).await;
                    }
                    self.ask_whether_over().await;
                    match *stops_at {
                        None if self.is_over => {
                            process.order(Order::Stop);
                            *stops_at = Some(Instant::now() + STOPS_WITHIN);
                        }
                        Some(at) if at < Instant::now() => process.kill(),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Has the robot hear those whom it is to hear by now.
    async fn turn(&mut self, process: &mut Process) {
        let before = self.heard.clone();
        let is_known = self.look_around().await;
        if before != self.heard || (self.is_due && is_known) {
            process.order(Order::Of { user_ids: self.heard.clone() });
        }
        self.is_due = !is_known;
    }

    /// Finds out who is to be heard, as far as anybody can say. Whoever is not noted is not heard yet. False if it is to be
    /// looked again.
    async fn look_around(&mut self) -> bool {
        let Some(handle) = self.desk.parts.hub.find(self.listening.meeting.as_str()) else { return false };
        let session = self.listening.session.clone();
        let asked = handle.call(move |live, _| {
            let is_it = live.record().is_some_and(|record| record.started.session == session);
            is_it.then(|| live.transcribed())
        });
        let Ok(Some(here)) = asked.await else { return false };
        let (peers, participants): (Vec<PeerId>, BTreeSet<ParticipantId>) = here.into_iter().unzip();
        let noted = self.enabled.add(&participants).await;
        if let Err(error) = &noted {
            tracing::warn!(session.id = %self.listening.session, %error, "whose words are to be written down cannot be noted");
        }
        let read = self.desk.parts.store.meeting_of(&self.listening.meeting).await;
        let is_known = noted.is_ok() && read.is_ok();
        if let Ok(Some(meeting)) = read {
            self.meeting = Some(meeting);
        }
        self.told_at_once.extend(peers.iter().map(PeerId::to_string));
        let hears_all = self.meeting.as_ref().is_some_and(|meeting| meeting.transcribe_on_end);
        let noted = participants.iter().filter(|participant| self.enabled.who().contains(*participant));
        self.heard = (!hears_all).then(|| noted.map(ParticipantId::to_string).collect());
        is_known
    }

    /// Pieces that a robot left growing are as whole as they will be.
    async fn rescue(&mut self, part: u32) {
        let folder = self.folder.join(part.to_string());
        let _ = tokio::task::spawn_blocking(move || {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
            for path in entries.filter(|path| path.extension().is_some_and(|ending| ending == PART)) {
                if let Err(error) = rescue(&path) {
                    tracing::warn!(%error, "a piece of speech cannot be made whole");
                }
            }
        })
        .await;
    }

    /// What is left is written, the session is over, and then its transcript may be had.
    async fn write_the_rest(&mut self) -> Result<(), NodeStops> {
        // Also what a crash has left in the middle.
        for part in 1..=parts_of(&self.folder) {
            self.rescue(part).await;
        }
        let stop = self.desk.parts.stop.clone();
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut asked: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(NodeStops),
                Some(written) = self.running.join_next() => if let Ok(written) = written { self.take(written).await; },
                Some(partial) = self.partials.1.recv() => self.tell_partial(partial).await,
                _ = look.tick() => {
                    let is_known = self.write_next().await;
                    if !self.is_over && asked.is_none_or(|asked| asked.elapsed() > ASK_EVERY) {
                        asked = Some(Instant::now());
                        self.ask_whether_over().await;
                    }
                    if is_known && self.is_over && self.pieces.is_empty() && self.running.is_empty() {
                        break;
                    }
                }
            }
        }
        self.finish().await
    }

    async fn finish(&mut self) -> Result<(), NodeStops> {
        let error = (self.lost > 0).then(|| format!("{} pieces of speech are lost: {}", self.lost, self.why));
        let (desk, terms) = (&self.desk, self.desk.terms());
        let (store, clock) = (&desk.parts.store, &desk.parts.clock);
        desk.patiently(|| store.finish_listening(&self.listening, error.clone(), &terms, clock.now())).await?;
        let _ = tokio::fs::remove_dir_all(&self.folder).await;
        desk.patiently(|| summaries::take_up(desk)).await
    }

    /// Gives the engine what is next, as much as it may have. False if what waits cannot be found out.
    async fn write_next(&mut self) -> bool {
        let folder = self.folder.clone();
        self.pieces = match tokio::task::spawn_blocking(move || list(&folder)).await {
            Ok(Ok(pieces)) => pieces,
            Ok(Err(error)) => {
                tracing::warn!(session.id = %self.listening.session, %error, "what waits to be written down cannot be read");
                return false;
            }
            Err(_) => return false,
        };
        if self.rests_until.is_some_and(|until| until > Instant::now()) {
            return true;
        }
        while self.running.len() < AT_ONCE {
            let now = Instant::now();
            let resting: HashSet<PathBuf> =
                self.tries.iter().filter(|(_, (_, after))| *after > now).map(|(path, _)| path.clone()).collect();
            let is_live = !self.is_over;
            let is_told = |peer: &str| is_live && self.told_at_once.contains(peer);
            let plan = plan(&self.pieces, self.desk.parts.clock.now().0, is_told, &self.busy, &self.late, &resting);
            if !plan.late.is_empty() {
                tracing::warn!(session.id = %self.listening.session, pieces = plan.late.len(),
                    "the engine is too slow to tell at once what is said; it is written down later");
            }
            for path in plan.late {
                self.desk.parts.figures.piece("late");
                self.late.insert(path);
            }
            for path in plan.lost {
                self.lose(&path, "too much waits for the engine");
            }
            let Some((piece, is_told)) = plan.next else { return true };
            self.busy.insert(piece.peer.clone());
            let (desk, sound, partials) = (self.desk.clone(), self.sound(&piece), self.partials.0.clone());
            self.running.spawn(async move {
                let Some(engine) = &desk.parts.settings.engine else {
                    return Written { piece, is_told, said: Err(anyhow::anyhow!("there is no engine any more")) };
                };
                let _turn = desk.turns.acquire().await;
                let (peer, at_ms) = (piece.peer.clone(), piece.at_ms);
                let so_far = move |text| {
                    if is_told {
                        // What is not told now is told soon.
                        let _ = partials.try_send(Partial { peer: peer.clone(), at_ms, text });
                    }
                };
                let said = engine.write(&sound, so_far).await;
                Written { piece, is_told, said }
            });
        }
        true
    }

    fn sound(&self, piece: &Piece) -> Sound {
        let config = self.meeting.as_ref().and_then(|meeting| meeting.ai_config.as_ref());
        let config = config.map_or(&Value::Null, |config| &config["transcription"]);
        let keywords = config["keywords"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let how = How {
            language: config["language"].as_str().unwrap_or_default().to_owned(),
            keywords: keywords.map(str::to_owned).collect(),
            profanity_filter: config["profanity_filter"].as_bool().unwrap_or(false),
        };
        Sound { path: piece.path.clone(), length_ms: piece.length_ms(), how }
    }

    /// Keeps what was written, and tells it.
    async fn take(&mut self, Written { piece, is_told, said }: Written) {
        self.busy.remove(&piece.peer);
        let figures = &self.desk.parts.figures;
        let said = match said {
            Ok(said) => said,
            Err(error) => {
                figures.piece("failed");
                let tries = self.tries.get(&piece.path).map_or(0, |(tries, _)| *tries);
                self.failures += 1;
                self.why = format!("{error:#}");
                tracing::warn!(session.id = %self.listening.session, why = self.why, tries, "the engine cannot write down what was said");
                match AGAIN_SECS.get(tries) {
                    Some(pause) => {
                        let after = Instant::now() + Duration::from_secs(*pause);
                        self.tries.insert(piece.path.clone(), (tries + 1, after));
                    }
                    None => self.lose(&piece.path, ""),
                }
                if self.failures > 2 {
                    let secs = REST_SECS.min(1 << self.failures.min(6));
                    self.rests_until = Some(Instant::now() + Duration::from_secs(secs));
                }
                return;
            }
        };
        self.failures = 0;
        figures.piece(if said.is_empty() { "silent" } else { "written" });
        let Ok(peer) = PeerId::parse(&piece.peer) else { return self.forget(&piece.path) };
        let is_live = is_told && !self.is_over;
        let at = |ms: i64| Timestamp(piece.at_ms + ms);
        let written = WrittenPiece {
            session: self.listening.session.clone(),
            peer: peer.clone(),
            at: at(0),
            lines: said.into_iter().map(|said| (at(said.start_ms), at(said.end_ms), said.text)).collect(),
            is_told: is_live,
        };
        let lines = match self.desk.parts.store.keep_piece(&written, self.enabled.who()).await {
            Ok(lines) => lines,
            Err(error) => {
                tracing::warn!(%error, "what was said cannot be kept right now");
                // The piece is still there.
                let tries = self.tries.get(&piece.path).map_or(0, |(tries, _)| *tries);
                self.tries.insert(piece.path, (tries, Instant::now() + KEEP_AGAIN));
                return;
            }
        };
        self.forget(&piece.path);
        if !is_live {
            return;
        }
        self.desk.parts.figures.told(self.desk.parts.clock.now().0 - piece.end_ms());
        for line in lines {
            self.tell(&peer, (line.start_at, line.text, false)).await;
        }
    }

    async fn tell_partial(&mut self, Partial { peer, at_ms, text }: Partial) {
        let is_soon = self.told.get(&peer).is_some_and(|told| told.elapsed() < PARTIAL_EVERY);
        // One that comes after its line would take the place of the next.
        if is_soon || text.is_empty() || !self.busy.contains(&peer) {
            return;
        }
        let Ok(id) = PeerId::parse(&peer) else { return };
        self.told.insert(peer, Instant::now());
        self.tell(&id, (Timestamp(at_ms), text, true)).await;
    }

    async fn tell(&self, peer: &PeerId, said: (Timestamp, String, bool)) {
        let Some(handle) = self.desk.parts.hub.find(self.listening.meeting.as_str()) else { return };
        let (peer, session) = (peer.clone(), self.listening.session.clone());
        let told = handle.call(move |live, now| {
            if live.record().is_some_and(|record| record.started.session == session) {
                live.tell_transcript(now, &peer, said);
            }
        });
        let _ = told.await;
    }

    fn lose(&mut self, path: &Path, why: &str) {
        self.lost += 1;
        self.desk.parts.figures.piece("lost");
        if !why.is_empty() {
            why.clone_into(&mut self.why);
        }
        tracing::error!(session.id = %self.listening.session, why = self.why, "something that was said is lost");
        self.forget(path);
    }

    /// It is dealt with.
    fn forget(&mut self, path: &Path) {
        if let Err(error) = std::fs::remove_file(path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a piece of speech cannot be deleted");
        }
        self.pieces.retain(|piece| piece.path != path);
        self.late.remove(path);
        self.tries.remove(path);
    }

    /// Whether the session is over; as before while nobody can say.
    async fn ask_whether_over(&mut self) {
        let (hub, store) = (&self.desk.parts.hub, &self.desk.parts.store);
        let session = self.listening.session.clone();
        if let Some(handle) = hub.find(self.listening.meeting.as_str()) {
            let wanted = session.clone();
            let is_live = handle.call(move |live, _| {
                live.record().is_some_and(|record| record.ended.is_none() && record.started.session == wanted)
            });
            match is_live.await {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => return,
            }
        }
        // It may have yet to be gone on with, or be another node's.
        if let Ok(row) = store.live_session_of(&self.listening.meeting).await {
            self.is_over = row.is_none_or(|row| row.summary.session != session);
        }
    }
}
