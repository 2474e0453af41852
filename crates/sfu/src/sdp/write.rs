//! Writes our side's description: an answer to the client, or an offer of tracks to receive.
//! Every live line repeats the ICE and DTLS parameters; candidates are in the first live one.
//! Next: `../engine/lines.rs` decides what each line says.

use std::fmt::Write;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Codec, Direction, Kind, extensions};
use crate::engine::address::Address;

/// Our half of the transport parameters.
pub(crate) struct Session<'a> {
    pub id: u64,
    /// Grows by one with each description, as RFC 3264 section 5 wants.
    pub version: u64,
    pub ufrag: &'a str,
    pub password: &'a str,
    pub fingerprint: &'a str,
    pub candidates: &'a [Address],
    /// `actpass` in offers, `passive` in answers.
    pub setup: &'a str,
}

/// One m-line as we write it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Local {
    /// None for a kind we do not speak; such a line is always dead.
    pub kind: Option<Kind>,
    pub media: String,
    pub protocol: String,
    /// The format written when there is no codec.
    pub format: String,
    pub mid: String,
    pub direction: Direction,
    pub codec: Option<Codec>,
    /// Extensions both sides know, ids as in the client's first offer.
    #[serde(with = "extensions")]
    pub extensions: Vec<(u8, &'static str)>,
    /// Layers we are ready to receive.
    pub rids: Vec<String>,
    /// What we send on this line.
    pub source: Option<Source>,
    /// Port 0, out of the BUNDLE group: refused, or stopped for good.
    pub dead: bool,
}

/// The stream behind a line that we send on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Source {
    pub ssrc: u32,
    pub rtx: Option<u32>,
    /// Names the track for people who read SDP; the web SDK does not look at it.
    pub stream: String,
    pub track: String,
}

pub(crate) fn write(session: &Session<'_>, lines: &[&Local]) -> String {
    let mut out = String::with_capacity(400 + lines.len() * 900);
    let Session { id, version, .. } = session;
    let _ = write!(out, "v=0\r\no=salon {id} {version} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
    for line in lines.iter().filter(|l| !l.dead) {
        let _ = write!(out, " {}", line.mid);
    }
    out.push_str("\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\na=ice-lite\r\n");
    let mut candidates = Some(session.candidates);
    for line in lines {
        let given = if line.dead { None } else { candidates.take() };
        write_line(&mut out, session, line, given.unwrap_or_default());
    }
    out
}

fn write_line(out: &mut String, session: &Session<'_>, line: &Local, candidates: &[Address]) {
    let port = if line.dead { 0 } else { 9 };
    let _ = write!(out, "m={} {} {}", line.media, port, line.protocol);
    match &line.codec {
        Some(codec) => {
            let _ = write!(out, " {}", codec.pt);
            if let Some(rtx) = codec.rtx {
                let _ = write!(out, " {rtx}");
            }
        }
        None => {
            let _ = write!(out, " {}", line.format);
        }
    }
    out.push_str("\r\nc=IN IP4 0.0.0.0\r\n");
    for (index, address) in candidates.iter().enumerate() {
        let (protocol, suffix) = match address {
            Address::Udp(_) => ("udp", ""),
            Address::Tcp(_) => ("tcp", " tcptype passive"),
        };
        let (priority, at) = (priority(index, *address), address.socket());
        let _ = write!(out, "a=candidate:{index} 1 {protocol} {priority} {} {} typ host{suffix}\r\n", at.ip(), at.port());
    }
    let Session { ufrag, password, fingerprint, setup, .. } = session;
    let _ = write!(out, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=fingerprint:{fingerprint}\r\na=setup:{setup}\r\n");
    if !line.mid.is_empty() {
        let _ = write!(out, "a=mid:{}\r\n", line.mid);
    }
    for (id, uri) in &line.extensions {
        let _ = write!(out, "a=extmap:{id} {uri}\r\n");
    }
    let _ = write!(out, "a={}\r\n", if line.dead { Direction::Inactive } else { line.direction });
    let source = line.source.as_ref().filter(|_| !line.dead);
    if let Some(Source { stream, track, .. }) = source {
        let _ = write!(out, "a=msid:{stream} {track}\r\n");
    }
    out.push_str("a=rtcp-mux\r\n");
    if let Some(codec) = &line.codec {
        write_codec(out, codec);
    }
    if !line.rids.is_empty() && !line.dead {
        for rid in &line.rids {
            let _ = write!(out, "a=rid:{rid} recv\r\n");
        }
        let _ = write!(out, "a=simulcast:recv {}\r\n", line.rids.join(";"));
    }
    if let Some(Source { ssrc, rtx, stream, track }) = source {
        if let Some(rtx) = rtx {
            let _ = write!(out, "a=ssrc-group:FID {ssrc} {rtx}\r\n");
        }
        for ssrc in [Some(*ssrc), *rtx].into_iter().flatten() {
            let _ = write!(out, "a=ssrc:{ssrc} cname:{track}\r\na=ssrc:{ssrc} msid:{stream} {track}\r\n");
        }
    }
}

fn write_codec(out: &mut String, codec: &Codec) {
    let pt = codec.pt;
    let _ = write!(out, "a=rtpmap:{pt} {}\r\n", codec.format.map());
    for feedback in &codec.feedback {
        let _ = write!(out, "a=rtcp-fb:{pt} {feedback}\r\n");
    }
    if !codec.fmtp.is_empty() {
        let _ = write!(out, "a=fmtp:{pt} {}\r\n", codec.fmtp);
    }
    if let Some(rtx) = codec.rtx {
        let _ = write!(out, "a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={pt}\r\n");
    }
}

/// RFC 8445 section 5.1.2.1 for a host candidate: earlier addresses are preferred, loopback comes last. TCP is for those
/// whom UDP does not reach: its type preference is the one of libwebrtc, its local preference has the direction in the
/// upper three bits, 4 for passive (RFC 6544 section 4.2).
fn priority(index: usize, address: Address) -> u32 {
    const HOST: u32 = 126;
    const HOST_TCP: u32 = 90;
    const PASSIVE: u32 = 4 << 13;
    let ip = address.socket().ip();
    let (kind, preference) = match (address, ip) {
        (Address::Udp(_), ip) if ip.is_loopback() => (HOST, 10_000),
        (Address::Udp(_), IpAddr::V6(_)) => (HOST, 60_000),
        (Address::Udp(_), IpAddr::V4(_)) => (HOST, 65_000),
        (Address::Tcp(_), ip) if ip.is_loopback() => (HOST_TCP, PASSIVE | 2_000),
        (Address::Tcp(_), IpAddr::V6(_)) => (HOST_TCP, PASSIVE | 5_000),
        (Address::Tcp(_), IpAddr::V4(_)) => (HOST_TCP, PASSIVE | 8_000),
    };
    (kind << 24) | ((preference - index.min(1_000) as u32) << 8) | 255
}
