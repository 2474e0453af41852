//! What a transport and its client have agreed on, and our descriptions of it.
//! Pure: what a description means for the connection is returned as `Change`s for `../transport.rs` to make.
//! Next: `../lines.rs` negotiates line by line.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use str0m::media::Mid;

use super::connection::Ours;
use crate::engine::address::Address;
use crate::engine::egress::ExtensionIds;
use crate::engine::lines::{Change, Lines, Sending};
use crate::sdp::write::{Session, Source};
use crate::sdp::{self, BadSdp, Codec, Format, Kind, Remote, extensions};
use crate::{Error, Role};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Negotiation {
    session: u64,
    version: u64,
    role: Role,
    lines: Lines,
    remote_ufrag: String,
    /// The client reports when packets arrived, on all streams together.
    transport_cc: bool,
    /// It does not, so it needs to be told a bitrate.
    remb_only: bool,
}

impl Negotiation {
    pub(crate) fn open(session: u64, role: Role, offer: &Remote) -> Result<Self, BadSdp> {
        let lines = Lines::open(offer)?;
        let transport_cc = offers(offer, "transport-cc") && lines.extensions().any(|(_, uri)| uri == extensions::TRANSPORT_CC);
        Ok(Self {
            session,
            version: 0,
            role,
            lines,
            remote_ufrag: offer.credentials.ufrag.clone(),
            transport_cc,
            remb_only: !transport_cc && offers(offer, "goog-remb"),
        })
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Whether the client wants to hear when its packets arrived.
    pub(crate) fn acknowledges(&self) -> bool {
        self.transport_cc && self.role == Role::Send
    }

    /// Whether the client sends what it is told to, and measures nothing itself.
    pub(crate) fn is_remb_only(&self) -> bool {
        self.remb_only
    }

    pub(crate) fn answer(&mut self, offer: &Remote, stop: &HashSet<String>) -> Result<Vec<Change>, Error> {
        self.same_peer(offer)?;
        Ok(self.lines.answer(offer, stop)?)
    }

    pub(crate) fn accept(&mut self, answer: &Remote) -> Result<Vec<Change>, Error> {
        self.same_peer(answer)?;
        Ok(self.lines.accept(answer)?)
    }

    /// The codec of a line that the client sends on, if it is one that packets can be told by.
    pub(crate) fn receiving(&self, mid: &str, kind: Kind) -> Option<&Codec> {
        let codec = self.lines.receiving(mid).filter(|l| l.kind == Some(kind))?.codec.as_ref()?;
        self.lines.codecs().iter().find(|c| (c.pt, c.format) == (codec.pt, codec.format))
    }

    /// The lines that packets are taken on, also those without a producer: browsers probe for bandwidth with padding on
    /// the SDK's placeholders, and what is not acknowledged counts as lost and starves the video.
    pub(crate) fn taken(&self) -> impl Iterator<Item = (Mid, Kind)> {
        let sends = self.role == Role::Send;
        self.lines.all_receiving().filter(move |_| sends).map(|(mid, kind)| (Mid::from(mid), kind))
    }

    /// The codec for a track of this format, if the client takes it.
    pub(crate) fn codec_for(&self, format: Format) -> Option<Codec> {
        let takes = || self.lines.codecs().iter().filter(|c| c.format.takes(format));
        takes().find(|c| c.format == format).or_else(|| takes().next()).cloned()
    }

    /// Adds a line for a track to the next offer. `ssrc` makes names of streams. None if there is no room.
    pub(crate) fn add_line(
        &mut self,
        codec: &Codec,
        stream: &str,
        track: &str,
        mut ssrc: impl FnMut() -> u32,
    ) -> Option<Sending> {
        let (pt, rtx_pt) = (codec.pt, codec.rtx.filter(|_| codec.format.kind() == Kind::Video));
        let ssrc_of_media = ssrc();
        let rtx = rtx_pt.map(|pt| (ssrc(), pt));
        let name = token(track);
        let rtx_ssrc = rtx.map(|(ssrc, _)| ssrc);
        let source = Source { ssrc: ssrc_of_media, rtx: rtx_ssrc, stream: token(stream), track: name.clone() };
        let mid = Mid::from(self.lines.offer(codec, source)?.as_str());
        Some(Sending { mid, pt, ssrc: ssrc_of_media, rtx, name })
    }

    /// The ids of the header extensions that a subscriber understands.
    pub(crate) fn extension_ids(&self, kind: Kind) -> ExtensionIds {
        let id = |wanted| self.lines.extensions_of(kind).iter().find(|(_, uri)| *uri == wanted).map(|(id, _)| *id);
        ExtensionIds {
            level: id(extensions::AUDIO_LEVEL),
            orientation: id(extensions::ORIENTATION),
            transport_cc: id(extensions::TRANSPORT_CC).filter(|_| self.transport_cc),
            dependency: id(extensions::DEPENDENCY),
        }
    }

    /// Our answer: what is settled.
    pub(crate) fn write_answer(&mut self, ours: &Ours, candidates: &[Address]) -> String {
        self.write(ours, candidates, false)
    }

    /// Our offer: all settled lines and those that wait.
    pub(crate) fn write_offer(&mut self, ours: &Ours, candidates: &[Address]) -> String {
        self.write(ours, candidates, true)
    }

    fn write(&mut self, ours: &Ours, candidates: &[Address], offer: bool) -> String {
        self.version += 1;
        let session = Session {
            id: self.session,
            version: self.version,
            ufrag: &ours.ufrag,
            password: &ours.password,
            fingerprint: &ours.fingerprint,
            candidates,
            setup: if offer { "actpass" } else { "passive" },
        };
        let lines = if offer { self.lines.offering() } else { self.lines.answered() };
        sdp::write(&session, &lines)
    }

    /// The web SDK never restarts ICE; a description with other credentials is of another peer connection.
    fn same_peer(&self, remote: &Remote) -> Result<(), Error> {
        match remote.credentials.ufrag == self.remote_ufrag {
            true => Ok(()),
            false => Err(Error::Refused("ICE restart is not supported, open a new transport".into())),
        }
    }
}

fn offers(offer: &Remote, feedback: &str) -> bool {
    offer.lines.iter().flat_map(|l| &l.codecs).any(|c| c.feedback.iter().any(|f| f == feedback))
}

/// What may stand in an msid: letters, digits and a few marks (RFC 8830 section 2), at most 64 of them.
fn token(text: &str) -> String {
    let kept: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.+{}".contains(*c)).take(64).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}
