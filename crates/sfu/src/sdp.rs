//! Session descriptions: what a client offers or answers, and what we write back.
//! Our own small SDP, because str0m can reuse a dead m-line only in the other side's offers, never in its own.
//! Invariant: reading accepts what browsers and the web SDK's text edits produce; writing is byte-stable.
//! Next: `parse.rs` reads, `write.rs` writes, `../engine/lines.rs` negotiates.

pub(crate) mod codec;
pub(crate) mod extensions;
mod kind;
pub(crate) mod parse;
pub(crate) mod write;

pub(crate) use codec::Format;
pub use kind::Kind;
pub(crate) use parse::parse;
pub(crate) use write::{Local, write};

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub(crate) fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub(crate) fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        })
    }
}

/// The payload types of one codec on an m-line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Codec {
    pub format: Format,
    pub pt: u8,
    /// Retransmission payload type, if the line has one for this codec.
    pub rtx: Option<u8>,
    /// Format parameters as written, without the payload type.
    pub fmtp: String,
    /// Feedback as written, such as `nack pli`, without the payload type.
    pub feedback: Vec<String>,
}

/// The first ICE and DTLS parameters found in a description; with BUNDLE there is one set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub ufrag: String,
    pub password: String,
    /// `sha-256 AB:CD:..`
    pub fingerprint: String,
}

/// One m-line of a remote description.
#[derive(Clone, Debug)]
pub(crate) struct RemoteLine {
    /// None for what we do not speak, such as `application`.
    pub kind: Option<Kind>,
    /// The text after `m=` up to the port.
    pub media: String,
    pub protocol: String,
    /// The first format, echoed when the line is refused.
    pub format: String,
    /// Empty only on a rejected line.
    pub mid: String,
    pub direction: Direction,
    /// Stream and track. Browsers write `-` for no stream.
    pub msid: Option<(String, String)>,
    /// Those of its codecs that we forward, the one it likes best first.
    pub codecs: Vec<Codec>,
    /// Id and URI of header extensions.
    pub extensions: Vec<(u8, String)>,
    /// Layers the other side wants to send, in its order. Empty without simulcast.
    pub rids: Vec<String>,
    /// True for port 0 outside of the BUNDLE group: stopped. Firefox writes new and even live lines with port 0
    /// and `a=bundle-only` (RFC 8843 section 6), which are no refusals.
    pub rejected: bool,
}

impl RemoteLine {
    /// The codec to answer with: the first, but H.264 rather in pieces.
    pub(crate) fn codec(&self) -> Option<&Codec> {
        let first = self.codecs.first()?;
        Some(self.codecs.iter().find(|c| c.format.improves(first.format)).unwrap_or(first))
    }
}

/// What an offer or answer says, as far as we care.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub credentials: Credentials,
    /// Packets may have header extensions of both forms (RFC 8285 section 6).
    pub extensions_mixed: bool,
    pub lines: Vec<RemoteLine>,
}

/// Why a description was not understood. The text goes to logs, never the SDP itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadSdp(pub String);

impl BadSdp {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}
