//! The m-lines of one transport: what the client offers to send, what we offer to send, and which are dead.
//! Pure negotiation; changes to the connection itself are returned as `Change`s for `transport.rs` to make.
//! Invariants: a failed call changes nothing; a slot keeps its mid until it is dead on both sides; then our next
//! offer reuses it with a new mid (RFC 8829 section 5.2.2), so descriptions do not grow as tracks come and go.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use str0m::media::Mid;

use crate::limits::{CODECS_PER_LINE, SDP_LINES};
use crate::sdp::extensions::{self, AUDIO_LEVEL, DEPENDENCY, MID, ORIENTATION, REPAIRED_RID, RID, SEND_TIME, TRANSPORT_CC};
use crate::sdp::write::Source;
use crate::sdp::{BadSdp, Codec, Direction, Format, Kind, Local, Remote, RemoteLine};

const AUDIO_EXTENSIONS: [&str; 4] = [MID, SEND_TIME, TRANSPORT_CC, AUDIO_LEVEL];
const VIDEO_EXTENSIONS: [&str; 7] = [MID, RID, REPAIRED_RID, SEND_TIME, TRANSPORT_CC, ORIENTATION, DEPENDENCY];

/// RTP feedback we can give and take.
const FEEDBACK: [&str; 5] = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"];

/// Highest id that fits the one-byte header extension form (RFC 8285 section 4.2).
const EXTENSION_ID_MAX: u8 = 14;

/// What a description means for the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The client stopped a line it sent on, for ever. An inactive one may come back and is no change.
    ReceivingEnds { mid: String },
    /// The client is ready for what we send on this line.
    SendingBegins { mid: String },
    /// The client does not want it, has stopped it, or never saw the offer of it.
    SendingEnds { mid: String },
}

/// A new line that we send on, as its consumer needs it.
#[derive(Debug)]
pub(crate) struct Sending {
    pub mid: Mid,
    pub pt: u8,
    pub ssrc: u32,
    /// SSRC and payload type of retransmissions.
    pub rtx: Option<(u32, u8)>,
    /// The CNAME.
    pub name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lines {
    lines: Vec<Local>,
    /// Lines of our last offer that the client has not answered yet, and the slots they are for.
    offered: Vec<Offered>,
    /// Of the client's first offer, the ones it likes best first; each payload type once.
    codecs: Vec<Codec>,
    #[serde(with = "extensions")]
    audio_extensions: Vec<(u8, &'static str)>,
    #[serde(with = "extensions")]
    video_extensions: Vec<(u8, &'static str)>,
    next_mid: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Offered {
    slot: usize,
    line: Local,
}

impl Lines {
    /// Learns codecs and extension ids from the client's first offer and answers it. Of a kind that is not in it, it takes what
    /// browsers come with later: web SDK 1.2.0 and Dyte's 3.1.11 first offer pictures, and sound when they publish it.
    pub(crate) fn open(remote: &Remote) -> Result<Self, BadSdp> {
        let mut lines = Self {
            lines: Vec::new(),
            offered: Vec::new(),
            codecs: known_codecs(remote),
            audio_extensions: extensions_for(remote, Kind::Audio),
            video_extensions: video_extensions(remote),
            next_mid: 0,
        };
        lines.answer(remote, &HashSet::new())?;
        Ok(lines)
    }

    /// All codecs, with the payload types of the client's first offer.
    pub(crate) fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// The extensions of one kind of line with the ids of the client's first offer.
    pub(crate) fn extensions_of(&self, kind: Kind) -> &[(u8, &'static str)] {
        match kind {
            Kind::Audio => &self.audio_extensions,
            Kind::Video => &self.video_extensions,
        }
    }

    /// All extensions with the ids of the client's first offer.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = (u8, &'static str)> + '_ {
        self.audio_extensions.iter().chain(&self.video_extensions).copied()
    }

    /// Lines we send on, or have offered to.
    pub(crate) fn sending(&self) -> usize {
        self.lines.iter().filter(|l| l.source.is_some() && !l.dead).count() + self.offered.len()
    }

    /// Whether an offer of ours waits for its answer.
    pub(crate) fn is_offered(&self) -> bool {
        !self.offered.is_empty()
    }

    /// A live line that the client sends on.
    pub(crate) fn receiving(&self, mid: &str) -> Option<&Local> {
        self.lines.iter().find(|l| l.mid == mid && !l.dead && l.direction == Direction::RecvOnly)
    }

    /// All live lines that the client may send on.
    pub(crate) fn all_receiving(&self) -> impl Iterator<Item = (&str, Kind)> {
        let receiving = self.lines.iter().filter(|l| !l.dead && l.source.is_none());
        receiving.filter_map(|l| Some((l.mid.as_str(), l.kind?)))
    }

    /// Takes a client's offer. `stop` names lines that shall end even if the offer does not say so.
    /// An answer is written from `answered` afterwards.
    pub(crate) fn answer(&mut self, remote: &Remote, stop: &HashSet<String>) -> Result<Vec<Change>, BadSdp> {
        if remote.lines.len() < self.lines.len() {
            return Err(BadSdp::new("the offer lacks m-lines that were negotiated"));
        }
        let mut lines = Vec::with_capacity(remote.lines.len());
        let mut changes = Vec::new();
        for (slot, theirs) in remote.lines.iter().enumerate() {
            let known = self.lines.get(slot);
            let offered = self.offered.iter().find(|o| o.slot == slot && o.line.mid == theirs.mid).map(|o| &o.line);
            let line = match (offered, known) {
                // The client took our offer although its answer never reached us.
                (Some(ours), _) => resumed(ours, theirs, stop, &mut changes),
                (None, Some(ours)) if same(ours, theirs) && ours.source.is_some() => resumed(ours, theirs, stop, &mut changes),
                (None, Some(ours)) if same(ours, theirs) => {
                    let line = match ours.dead || theirs.rejected {
                        true => Local { dead: true, direction: Direction::Inactive, ..ours.clone() },
                        false => self.received(theirs, ours.codec.as_ref(), stop),
                    };
                    if line.dead && !ours.dead {
                        changes.push(Change::ReceivingEnds { mid: line.mid.clone() });
                    }
                    line
                }
                (None, Some(ours)) if !ours.dead => return Err(BadSdp::new("the offer changes the mid of a live m-line")),
                (None, _) => self.received(theirs, None, stop),
            };
            // A stopped line may come without its mid and has ours then, which another must not take meanwhile.
            if !line.mid.is_empty() && lines.iter().any(|before: &Local| before.mid == line.mid) {
                return Err(BadSdp::new("two m-lines with the same mid"));
            }
            lines.push(line);
        }
        for offered in &self.offered {
            if !lines.iter().any(|l| l.mid == offered.line.mid) {
                changes.push(Change::SendingEnds { mid: offered.line.mid.clone() });
            }
        }
        self.lines = lines;
        self.offered.clear();
        Ok(changes)
    }

    /// Adds a line for something to send to the next offer and returns its mid. None if there is no room.
    pub(crate) fn offer(&mut self, codec: &Codec, source: Source) -> Option<String> {
        let kind = codec.format.kind();
        let codec = our_codec(codec);
        // Only a slot of the same kind: browsers accept that, other changes are less trodden.
        let taken = |slot: usize| self.offered.iter().any(|o| o.slot == slot);
        let dead = (0..self.lines.len()).find(|s| self.lines[*s].dead && self.lines[*s].kind == Some(kind) && !taken(*s));
        let slot = dead.unwrap_or_else(|| {
            let new = self.offered.iter().filter(|o| o.slot >= self.lines.len()).count();
            self.lines.len() + new
        });
        if slot >= SDP_LINES {
            return None;
        }
        let mid = self.new_mid();
        let extensions = match kind {
            Kind::Audio => self.audio_extensions.clone(),
            Kind::Video => {
                let ours = |uri: &str| ![RID, REPAIRED_RID].contains(&uri) && goes_with(codec.format, uri);
                self.video_extensions.iter().filter(|(_, uri)| ours(uri)).copied().collect()
            }
        };
        let line = Local {
            kind: Some(kind),
            media: media(kind).to_owned(),
            protocol: "UDP/TLS/RTP/SAVPF".to_owned(),
            format: codec.pt.to_string(),
            mid: mid.clone(),
            direction: Direction::SendOnly,
            codec: Some(codec),
            extensions,
            rids: Vec::new(),
            source: Some(source),
            dead: false,
        };
        self.offered.push(Offered { slot, line });
        Some(mid)
    }

    /// Takes the client's answer to our offer. An answer to an earlier offer settles what that one had and leaves
    /// the rest waiting.
    pub(crate) fn accept(&mut self, remote: &Remote) -> Result<Vec<Change>, BadSdp> {
        if remote.lines.len() < self.lines.len() {
            return Err(BadSdp::new("the answer lacks m-lines that were offered"));
        }
        let mut lines = self.lines.clone();
        let mut offered = Vec::new();
        let mut changes = Vec::new();
        for (ours, theirs) in lines.iter_mut().zip(&remote.lines) {
            if same(ours, theirs) && ours.source.is_some() && theirs.rejected && !ours.dead {
                *ours = resumed(ours, theirs, &HashSet::new(), &mut changes);
            }
        }
        let mut waiting = self.offered.clone();
        waiting.sort_by_key(|o| o.slot);
        for Offered { slot, line } in waiting {
            match remote.lines.get(slot) {
                Some(theirs) if theirs.mid == line.mid => {
                    let line = resumed(&line, theirs, &HashSet::new(), &mut changes);
                    match lines.get_mut(slot) {
                        Some(old) => *old = line,
                        None => lines.push(line),
                    }
                }
                _ => offered.push(Offered { slot, line }),
            }
        }
        if changes.is_empty() && !offered.is_empty() {
            return Err(BadSdp::new("the answer does not fit any waiting offer"));
        }
        self.lines = lines;
        self.offered = offered;
        Ok(changes)
    }

    /// The lines of an answer: what is settled.
    pub(crate) fn answered(&self) -> Vec<&Local> {
        self.lines.iter().collect()
    }

    /// The lines of an offer: what is settled and what waits.
    pub(crate) fn offering(&self) -> Vec<&Local> {
        let mut lines: Vec<&Local> = self.lines.iter().collect();
        let mut waiting: Vec<&Offered> = self.offered.iter().collect();
        waiting.sort_by_key(|o| o.slot);
        for Offered { slot, line } in waiting {
            match lines.get_mut(*slot) {
                Some(old) => *old = line,
                None => lines.push(line),
            }
        }
        lines
    }

    /// Our line for one the client wants to send on. A line that is in use keeps its codec while that is offered: who
    /// subscribes to it expects no other.
    fn received(&self, theirs: &RemoteLine, used: Option<&Codec>, stop: &HashSet<String>) -> Local {
        let kept = used.and_then(|used| theirs.codecs.iter().find(|c| (c.pt, c.format) == (used.pt, used.format)));
        let codec = kept.or_else(|| theirs.codec());
        let dead = theirs.rejected || codec.is_none() || stop.contains(&theirs.mid);
        let direction = if theirs.direction.sends() { Direction::RecvOnly } else { Direction::Inactive };
        Local {
            kind: theirs.kind,
            media: theirs.media.clone(),
            protocol: theirs.protocol.clone(),
            format: theirs.format.clone(),
            mid: theirs.mid.clone(),
            direction,
            codec: codec.map(|codec| Codec {
                fmtp: codec.format.echoed(&codec.fmtp),
                feedback: known_feedback(codec.format.kind(), &codec.feedback),
                ..*codec
            }),
            extensions: codec.map(|codec| self.extensions_with(theirs, codec.format)).unwrap_or_default(),
            rids: theirs.rids.iter().take(crate::limits::LAYERS_PER_PRODUCER).cloned().collect(),
            source: None,
            dead,
        }
    }

    /// The extensions of a line that the client sends on, as far as their ids are those of its first offer.
    fn extensions_with(&self, theirs: &RemoteLine, format: Format) -> Vec<(u8, &'static str)> {
        let known = self.extensions_of(format.kind());
        let shared = shared_extensions(theirs, format.kind());
        shared.into_iter().filter(|shared| known.contains(shared) && goes_with(format, shared.1)).collect()
    }

    /// Mids of ours start with a letter, browsers count from 0, so they do not collide.
    fn new_mid(&mut self) -> String {
        loop {
            let mid = format!("c{}", self.next_mid);
            self.next_mid += 1;
            if !self.lines.iter().any(|l| l.mid == mid) {
                return mid;
            }
        }
    }
}

/// Whether both mean the same line of a slot.
fn same(ours: &Local, theirs: &RemoteLine) -> bool {
    ours.mid == theirs.mid || (theirs.rejected && theirs.mid.is_empty())
}

/// Our line that we send on, after the client spoke about it.
fn resumed(ours: &Local, theirs: &RemoteLine, stop: &HashSet<String>, changes: &mut Vec<Change>) -> Local {
    let mut line = ours.clone();
    line.dead |= theirs.rejected;
    let wanted = theirs.direction.receives() && !stop.contains(&theirs.mid);
    line.direction = if wanted { Direction::SendOnly } else { Direction::Inactive };
    let mid = line.mid.clone();
    if ours.dead {
        return line;
    }
    changes.push(match line.dead || !wanted {
        true => Change::SendingEnds { mid },
        false => Change::SendingBegins { mid },
    });
    line
}

/// The codec of a line that we send on.
fn our_codec(theirs: &Codec) -> Codec {
    let fmtp = match theirs.format {
        Format::Opus => "minptime=10;useinbandfec=1".to_owned(),
        // What the client said of its own payload type, as the other side of it must.
        format => format.echoed(&theirs.fmtp),
    };
    Codec { fmtp, feedback: known_feedback(theirs.format.kind(), &theirs.feedback), ..*theirs }
}

/// Whether an extension is of use with a codec. Chromium would describe the dependencies of all codecs, which costs a few
/// bytes per packet; the others say in the payload what we need.
fn goes_with(format: Format, uri: &str) -> bool {
    uri != DEPENDENCY || format == Format::Av1
}

fn known_codecs(remote: &Remote) -> Vec<Codec> {
    let mut known: Vec<Codec> = Vec::new();
    for codec in remote.lines.iter().flat_map(|l| &l.codecs) {
        let taken = |pt: u8| known.iter().any(|k| k.pt == pt || k.rtx == Some(pt));
        if known.len() < CODECS_PER_LINE && !taken(codec.pt) {
            let rtx = codec.rtx.filter(|rtx| !taken(*rtx));
            known.push(Codec { rtx, ..codec.clone() });
        }
    }
    for (format, pt, rtx) in COMMON {
        let is_offered = remote.lines.iter().any(|l| l.kind == Some(format.kind()) && !l.codecs.is_empty());
        let taken = |pt: u8| known.iter().any(|k| k.pt == pt || k.rtx == Some(pt));
        if !is_offered && !taken(pt) && known.len() < CODECS_PER_LINE {
            let rtx = rtx.filter(|rtx| !taken(*rtx));
            known.push(Codec { format, pt, rtx, fmtp: String::new(), feedback: Vec::new() });
        }
    }
    known
}

/// The payload types that browsers give to what all of them send, and those of its retransmissions: Chromium's and WebKit's,
/// then Firefox's (seen in Chromium 156 and Firefox 140).
const COMMON: [(Format, u8, Option<u8>); 4] =
    [(Format::Opus, 111, None), (Format::Opus, 109, None), (Format::Vp8, 96, Some(97)), (Format::Vp8, 120, Some(124))];

fn known_feedback(kind: Kind, theirs: &[String]) -> Vec<String> {
    let known = |f: &&String| match kind {
        // Lost sound is covered by opus itself; str0m would not send it again.
        Kind::Audio => *f == "transport-cc",
        Kind::Video => FEEDBACK.contains(&f.as_str()),
    };
    theirs.iter().filter(known).cloned().collect()
}

fn known_extensions(remote: &Remote, kind: Kind) -> Vec<(u8, &'static str)> {
    let mut known: Vec<(u8, &'static str)> = Vec::new();
    for line in remote.lines.iter().filter(|l| l.kind == Some(kind)) {
        for extension in shared_extensions(line, kind) {
            if !known.iter().any(|(id, uri)| *id == extension.0 || *uri == extension.1) {
                known.push(extension);
            }
        }
    }
    known
}

/// Known extensions of a kind. All lines of one connection number them alike (RFC 8843 section 9), so that what one kind
/// has holds for the other if that comes later.
fn extensions_for(remote: &Remote, kind: Kind) -> Vec<(u8, &'static str)> {
    let (other, uris): (Kind, &[&str]) = match kind {
        Kind::Audio => (Kind::Video, &AUDIO_EXTENSIONS),
        Kind::Video => (Kind::Audio, &VIDEO_EXTENSIONS),
    };
    if remote.lines.iter().any(|line| line.kind == Some(kind)) {
        return known_extensions(remote, kind);
    }
    known_extensions(remote, other).into_iter().filter(|(_, uri)| uris.contains(uri)).collect()
}

/// Known extensions of pictures. Browsers take the description of dependencies also where they did not offer it (seen in
/// Chromium 156, which offers it only with layers), so it gets an id in any case. It may need the longer form of extensions,
/// which is then that of the whole packet, so not all can have it.
fn video_extensions(remote: &Remote) -> Vec<(u8, &'static str)> {
    let mut known = extensions_for(remote, Kind::Video);
    if !remote.extensions_mixed {
        known.retain(|(_, uri)| *uri != DEPENDENCY);
    } else if !known.iter().any(|(_, uri)| *uri == DEPENDENCY) {
        let taken = |id: &u8| remote.lines.iter().any(|l| l.extensions.iter().any(|(other, _)| other == id));
        known.extend((1..=EXTENSION_ID_MAX).rev().find(|id| !taken(id)).map(|id| (id, DEPENDENCY)));
    }
    known
}

fn shared_extensions(theirs: &RemoteLine, kind: Kind) -> Vec<(u8, &'static str)> {
    let known: &[&'static str] = match kind {
        Kind::Audio => &AUDIO_EXTENSIONS,
        Kind::Video => &VIDEO_EXTENSIONS,
    };
    let find = |(id, uri): &(u8, String)| {
        let uri = known.iter().find(|k| *k == uri)?;
        (1..=EXTENSION_ID_MAX).contains(id).then_some((*id, *uri))
    };
    theirs.extensions.iter().filter_map(find).collect()
}

fn media(kind: Kind) -> &'static str {
    match kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
    }
}
