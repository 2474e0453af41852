//! Why one person could not hear or see another: a ladder over what the record says and what was measured. Pure.
//! Each bucket of 15 s is judged by itself: the first rung that holds counts, from "was not there" to "all of it arrived".
//! Invariant: nothing is ruled out that is not known; a bucket in which neither record nor measurement says enough is
//! `Unknown`. Next: `between/story.rs`, what the record says; the table of cases is its test.

mod question;
mod story;
mod words;

use std::collections::BTreeMap;

use salon_core::{Event, Timestamp};

pub use self::question::{Medium, Question};
use self::story::Story;
pub use self::story::{Off, is_told};
pub use self::words::Names;
use crate::block::{BUCKET_MS, Bucket, Figure};
use crate::role::Role;
use crate::series::{Blocks, Series, begin_of, bucket_at, known};
use crate::why::Why;

/// From so much loss on (per mille) people miss what is said: 5 %, where Whereby, 100ms and JaaS begin to warn of it and CQD
/// of Teams is half way to "poor".
const LOSSY: u32 = 50;

/// Tenths of a millisecond of jitter from which on sound comes too late to be played: the web SDK's own limit.
const JITTERY: u32 = 300;

/// A score below which there is no conversation (ITU-T G.109), hundredths.
const BROKEN: u32 = 310;

/// A picture that stands still for so much of the time, percent.
const FROZEN: u32 = 10;

/// Steps above digital silence (RFC 6464) up to which a microphone gives nothing: a room is never so quiet.
const MUTE_LEVEL: u32 = 10;

/// For so long it is believed that nothing plays after a browser has said so.
const PLAY_BLOCKED_MS: i64 = 60_000;

/// What the client of one of the two said of itself; believed here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// The speaker's browser was not let use the device.
    NotPermitted,
    /// The speaker's system has the microphone or camera off.
    MutedInSystem,
    /// The listener's browser did not play what came until somebody clicked.
    PlayBlocked,
}

/// The rungs, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    SpeakerAway,
    ListenerAway,
    /// The speaker had nothing of the kind on offer; true if its browser was not let use the device.
    NotPublished {
        refused: bool,
    },
    /// It was switched off, and by whom.
    SwitchedOff(Off),
    /// It was on, and no packets reached the server.
    NothingArrives,
    /// Packets arrived and held digital silence.
    Silent {
        muted_in_system: bool,
    },
    /// The speaker's line lost or delayed too much.
    DamagedUpstream,
    /// The listener's client did not ask for it.
    NotAsked,
    /// It asked, and has not answered the server's offer.
    Unanswered,
    /// The speaker's preset does not allow what came.
    NotAllowed,
    /// The listener's line carried too little, lost or delayed too much.
    DamagedDownstream,
    /// The server had it and sent nothing of it, and not because of a line.
    NotSent,
    /// It arrived, and the listener's browser did not play it.
    PlayBlocked,
    /// It arrived, and there was no voice in it.
    NoVoice,
    Arrived,
    /// Not enough is known.
    Unknown,
}

impl Rung {
    /// In a word that never changes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SpeakerAway => "speaker_away",
            Self::ListenerAway => "listener_away",
            Self::NotPublished { .. } => "not_published",
            Self::SwitchedOff(_) => "switched_off",
            Self::NothingArrives => "nothing_arrives",
            Self::Silent { .. } => "silent",
            Self::DamagedUpstream => "damaged_upstream",
            Self::NotAsked => "not_asked",
            Self::Unanswered => "unanswered",
            Self::NotAllowed => "not_allowed",
            Self::DamagedDownstream => "damaged_downstream",
            Self::NotSent => "not_sent",
            Self::PlayBlocked => "play_blocked",
            Self::NoVoice => "no_voice",
            Self::Arrived => "arrived",
            Self::Unknown => "unknown",
        }
    }

    /// All there are, in their order.
    pub const NAMES: [&'static str; 16] = [
        "speaker_away",
        "listener_away",
        "not_published",
        "switched_off",
        "nothing_arrives",
        "silent",
        "damaged_upstream",
        "not_asked",
        "unanswered",
        "not_allowed",
        "damaged_downstream",
        "not_sent",
        "play_blocked",
        "no_voice",
        "arrived",
        "unknown",
    ];
}

/// What the answer is made from.
pub struct Evidence<'a> {
    /// The session's events from the first on; those of which [`is_told`] says no may be missing.
    pub events: &'a [Event],
    /// Of the speaker, and of the listener.
    pub upstream: &'a Blocks,
    pub downstream: &'a Blocks,
    /// What the clients of the two said of themselves, and when.
    pub said: &'a [(Timestamp, Said)],
}

/// Where a rung held.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    pub rung: Rung,
    /// The first moment at which it did, and the last.
    pub from: Timestamp,
    pub to: Timestamp,
    /// Of the time asked for.
    pub share: f64,
    /// The most lost on the line it is about, per mille.
    pub loss: Option<u32>,
}

/// What can be said of a rung that held nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Held,
    RuledOut,
    NotKnown,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Each bucket, by when it begins.
    pub steps: Vec<(Timestamp, Rung)>,
    /// What held, the longest first; of equally long ones what comes first on the ladder. The first is the verdict.
    pub held: Vec<Stretch>,
}

impl Answer {
    /// Whether a rung, by its name, held. It is ruled out if it was passed everywhere else that it was come to: rungs above one
    /// that held were not tried there.
    pub fn standing(&self, name: &str) -> Standing {
        if self.held.iter().any(|held| held.rung.name() == name) {
            return Standing::Held;
        }
        let place = |name: &str| Rung::NAMES.iter().position(|known| *known == name).unwrap_or(Rung::NAMES.len());
        let wanted = place(name);
        // Where too little was measured only what the record says was passed.
        let passed = |rung: &Rung| match rung {
            Rung::Unknown => wanted < BY_RECORD,
            rung => wanted < place(rung.name()),
        };
        let unknown = self.steps.iter().any(|(_, rung)| *rung == Rung::Unknown) && wanted >= BY_RECORD;
        match self.steps.iter().any(|(_, rung)| passed(rung)) && !unknown {
            true => Standing::RuledOut,
            false => Standing::NotKnown,
        }
    }
}

/// So many rungs are judged by the record alone.
const BY_RECORD: usize = 4;

/// Judges each bucket of the time asked for.
pub fn between(question: &Question<'_>, evidence: &Evidence<'_>) -> Answer {
    let first = bucket_at(question.began, question.from);
    let to = question.to.max(question.from.plus_ms(1));
    let last = bucket_at(question.began, to.plus_ms(-1)).max(first);
    let count = last - first + 1;
    let upstream = Series::of(evidence.upstream, first, count, 1);
    let downstream = Series::of(evidence.downstream, first, count, 1);
    let story = Story::of(question, evidence.events);
    let mut steps = Vec::new();
    let mut losses: BTreeMap<Rung, u32> = BTreeMap::new();
    for step in 0..count as usize {
        let begin = begin_of(question.began, first + step as u64);
        let bounds = (begin.max(question.from), begin.plus_ms(BUCKET_MS).min(to));
        let view = View { question, step, upstream: &upstream, downstream: &downstream, story: &story };
        let said = |what: Said| {
            // What was refused or muted is told once and stays so until somebody changes it, which shows in what is sent.
            // That something plays again nobody tells, so that it does not is believed for a while only.
            let since = if what == Said::PlayBlocked { bounds.0.plus_ms(-PLAY_BLOCKED_MS) } else { Timestamp(i64::MIN) };
            evidence.said.iter().any(|(at, said)| *said == what && *at < bounds.1 && *at >= since)
        };
        let (rung, loss) = view.judge(bounds, said);
        if let Some(loss) = loss {
            losses.entry(rung.clone()).and_modify(|most| *most = loss.max(*most)).or_insert(loss);
        }
        steps.push((begin, rung));
    }
    let mut held: BTreeMap<Rung, Stretch> = BTreeMap::new();
    let whole_ms = to.since(question.from).max(1) as f64;
    for (begin, rung) in &steps {
        let (from, to) = ((*begin).max(question.from), begin.plus_ms(BUCKET_MS).min(to));
        let loss = losses.get(rung).copied();
        let new = || Stretch { rung: rung.clone(), from, to, share: 0.0, loss };
        let held = held.entry(rung.clone()).or_insert_with(new);
        held.to = to;
        held.share += to.since(from) as f64 / whole_ms;
    }
    let mut held: Vec<Stretch> = held.into_values().collect();
    // Stable: the ladder decides between equals.
    held.sort_by(|one, other| other.share.total_cmp(&one.share));
    Answer { steps, held }
}

/// One bucket.
struct View<'a> {
    question: &'a Question<'a>,
    step: usize,
    upstream: &'a Series,
    downstream: &'a Series,
    story: &'a Story,
}

impl View<'_> {
    fn judge(&self, bounds: (Timestamp, Timestamp), said: impl Fn(Said) -> bool) -> (Rung, Option<u32>) {
        match self.story.most_of(bounds) {
            Some(story::State::SpeakerAway | story::State::BothAway) => return (Rung::SpeakerAway, None),
            Some(story::State::ListenerAway) => return (Rung::ListenerAway, None),
            Some(story::State::NotPublished) => {
                return (Rung::NotPublished { refused: said(Said::NotPermitted) }, None);
            }
            Some(story::State::Off(off)) => return (Rung::SwitchedOff(off), None),
            None => {}
        }
        let video = self.question.medium == Medium::Picture;
        let up = self.story.tracks().find_map(|track| self.of(self.upstream, true, video, track));
        let down = self.story.tracks().find_map(|track| self.of(self.downstream, false, video, track));
        let Some(up) = up else { return (self.unmeasured(down), None) };
        if known(up, Figure::Flowing).is_none() {
            // Nothing was alive at any look; that a few packets came in between is nothing anybody can follow.
            return (Rung::NothingArrives, None);
        }
        if !video && known(up, Figure::Level).is_some_and(|level| level <= MUTE_LEVEL) {
            return (Rung::Silent { muted_in_system: said(Said::MutedInSystem) }, None);
        }
        let up_loss = known(up, Figure::Loss);
        let jitter = |bucket: &Bucket| !video && known(bucket, Figure::Jitter).is_some_and(|jitter| jitter >= JITTERY);
        if up_loss.is_some_and(|loss| loss >= LOSSY) || jitter(up) {
            return (Rung::DamagedUpstream, up_loss);
        }
        let Some(down) = down else {
            let looked = self.downstream.line.contains_key(&self.step);
            return (if looked { Rung::NotAsked } else { Rung::Unknown }, None);
        };
        let down_loss = known(down, Figure::Loss).max(self.downstream.line.get(&self.step).and_then(|l| known(l, Figure::Loss)));
        let why = known(down, Figure::Why).and_then(Why::read);
        if known(down, Figure::Flowing).is_none() {
            let rung = match why {
                Some(Why::Unanswered) => Rung::Unanswered,
                Some(Why::NotAllowed) => Rung::NotAllowed,
                Some(Why::Line) => Rung::DamagedDownstream,
                _ => Rung::NotSent,
            };
            return (rung, down_loss);
        }
        let own_loss = known(down, Figure::Loss);
        let frozen = known(down, Figure::Frozen).is_some_and(|ms| i64::from(ms) * 100 >= BUCKET_MS * i64::from(FROZEN));
        let broken = !video && known(down, Figure::WorstScore).is_some_and(|score| score < BROKEN);
        if own_loss.is_some_and(|loss| loss >= LOSSY) || jitter(down) || frozen || broken {
            return (Rung::DamagedDownstream, down_loss);
        }
        if said(Said::PlayBlocked) {
            return (Rung::PlayBlocked, None);
        }
        if !video && known(up, Figure::Spoken) == Some(0) {
            return (Rung::NoVoice, None);
        }
        (Rung::Arrived, None)
    }

    /// Nothing is known of what the speaker sent. What the listener was sent may still say it.
    fn unmeasured(&self, down: Option<&Bucket>) -> Rung {
        match down.and_then(|down| known(down, Figure::Why)).and_then(Why::read) {
            Some(Why::NothingYet | Why::NothingSent) => Rung::NothingArrives,
            _ if self.upstream.line.contains_key(&self.step) => Rung::NothingArrives,
            _ => Rung::Unknown,
        }
    }

    fn of<'s>(&self, series: &'s Series, produces: bool, video: bool, track: &str) -> Option<&'s Bucket> {
        let fits = |role: Role| role.produces() == produces && role.is_video() == video && !role.is_screen();
        let found = series.tracks.iter().find(|known| known.track == track && fits(known.role));
        found.and_then(|known| known.steps.get(&self.step))
    }
}

#[cfg(test)]
mod tests;
