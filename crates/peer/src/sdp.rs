//! Session descriptions as the web SDK's browsers write them, cut down to what a server reads. Pure.
//! Next: `rtp.rs` has the payload types and extension ids that stand in them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use anyhow::Context;

use crate::rtp::{Codec, LEVEL_EXTENSION, MID_EXTENSION, OPUS, ORIENTATION_EXTENSION, TRANSPORT_CC_EXTENSION};

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Video,
}

impl Kind {
    /// As the wire calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    /// The type of what the web SDK's browsers publish.
    pub fn mime_type(self) -> &'static str {
        match self {
            Self::Audio => "audio/opus",
            Self::Video => "video/VP8",
        }
    }
}

/// The sections of the SDK's two placeholders: a track's section comes after them.
pub const PLACEHOLDERS: usize = 2;

/// One side's half of ICE and DTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub ufrag: String,
    pub password: String,
    pub fingerprint: String,
}

/// What the server's description says of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    pub credentials: Credentials,
    pub candidates: Vec<SocketAddr>,
}

/// An offer of the SDK's two placeholders, mids 0 and 1, and a section for each track, from mid 2 on.
pub fn offer(credentials: &Credentials, tracks: &[Kind]) -> String {
    let placeholders: [Kind; PLACEHOLDERS] = [Kind::Audio, Kind::Video];
    let sections: Vec<Kind> = placeholders.iter().chain(tracks).copied().collect();
    let mids: Vec<String> = (0..sections.len()).map(|mid| mid.to_string()).collect();
    let mut out = format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n", mids.join(" "));
    for (mid, kind) in sections.iter().enumerate() {
        section(&mut out, credentials, mid, *kind, mid < PLACEHOLDERS);
    }
    out
}

/// What the section with this mid says its track is called.
pub fn msid(mid: usize) -> String {
    format!("stream track-{mid}")
}

fn section(out: &mut String, credentials: &Credentials, mid: usize, kind: Kind, placeholder: bool) {
    // Placeholders say what subscribers take, and that they repair it; Chromium offers no repair of what it publishes.
    let codecs: &[Codec] = match (kind, placeholder) {
        (Kind::Audio, _) => &[],
        (Kind::Video, true) => &Codec::ALL,
        (Kind::Video, false) => &[Codec::Vp8],
    };
    let formats: String = match kind {
        Kind::Audio => format!(" {OPUS}"),
        Kind::Video if placeholder => codecs.iter().map(|codec| format!(" {} {}", codec.payload(), codec.repair())).collect(),
        Kind::Video => codecs.iter().map(|codec| format!(" {}", codec.payload())).collect(),
    };
    let Credentials { ufrag, password, fingerprint } = credentials;
    let _ = write!(
        out,
        "m={} 9 UDP/TLS/RTP/SAVPF{formats}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n\
         a=fingerprint:{fingerprint}\r\na=setup:actpass\r\na=mid:{mid}\r\n\
         a=extmap:{MID_EXTENSION} urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=extmap:{TRANSPORT_CC_EXTENSION} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n",
        kind.name()
    );
    if kind == Kind::Video {
        let _ = write!(out, "a=extmap:{ORIENTATION_EXTENSION} urn:3gpp:video-orientation\r\n");
    } else {
        let _ = write!(out, "a=extmap:{LEVEL_EXTENSION} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n");
    }
    let _ = write!(out, "a=sendonly\r\na=msid:{}\r\na=rtcp-mux\r\n", msid(mid));
    if kind == Kind::Audio {
        let _ = write!(
            out,
            "a=rtpmap:{OPUS} opus/48000/2\r\na=rtcp-fb:{OPUS} transport-cc\r\na=fmtp:{OPUS} minptime=10;useinbandfec=1\r\n"
        );
    }
    for codec in codecs {
        let (payload, repair) = (codec.payload(), codec.repair());
        let _ = write!(out, "a=rtpmap:{payload} {}/90000\r\n", codec.name());
        for feedback in ["transport-cc", "ccm fir", "nack", "nack pli"] {
            let _ = write!(out, "a=rtcp-fb:{payload} {feedback}\r\n");
        }
        if let Some(parameters) = codec.parameters() {
            let _ = write!(out, "a=fmtp:{payload} {parameters}\r\n");
        }
        if placeholder {
            let _ = write!(out, "a=rtpmap:{repair} rtx/90000\r\na=fmtp:{repair} apt={payload}\r\n");
        }
    }
}

/// The answer of a client that takes everything in the server's offer.
pub fn answer(offer: &str, credentials: &Credentials) -> String {
    let Credentials { ufrag, password, fingerprint } = credentials;
    offer
        .lines()
        .filter(|line| !["a=candidate", "a=ssrc", "a=ice-lite", "a=msid:"].iter().any(|own| line.starts_with(own)))
        .map(|line| match line {
            line if line.starts_with("a=ice-ufrag") => format!("a=ice-ufrag:{ufrag}\r\n"),
            line if line.starts_with("a=ice-pwd") => format!("a=ice-pwd:{password}\r\n"),
            line if line.starts_with("a=fingerprint") => format!("a=fingerprint:{fingerprint}\r\n"),
            "a=sendonly" => "a=recvonly\r\n".to_owned(),
            "a=recvonly" => "a=sendonly\r\n".to_owned(),
            "a=setup:actpass" => "a=setup:active\r\n".to_owned(),
            line => format!("{line}\r\n"),
        })
        .collect()
}

/// A stream that the server offers to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub mid: String,
    pub payload_type: u8,
    pub ssrc: u32,
    /// The stream of its retransmissions.
    pub rtx: Option<u32>,
}

/// The streams in the server's offer, in the order of their sections.
pub fn streams(offer: &str) -> Vec<Stream> {
    sections(offer).filter_map(|section| stream(&section)).collect()
}

/// The lines of each section.
fn sections(description: &str) -> impl Iterator<Item = Vec<&str>> {
    let mut lines = description.lines().skip_while(|line| !line.starts_with("m=")).peekable();
    std::iter::from_fn(move || {
        let mut section = vec![lines.next()?];
        while let Some(line) = lines.next_if(|line| !line.starts_with("m=")) {
            section.push(line);
        }
        Some(section)
    })
}

fn stream(section: &[&str]) -> Option<Stream> {
    let find = |name: &str| section.iter().find_map(|line| line.strip_prefix(name));
    let mut words = section.first()?.split_ascii_whitespace();
    if words.nth(1)? == "0" || !section.contains(&"a=sendonly") {
        return None;
    }
    let payload_type = words.nth(1)?.parse().ok()?;
    let mid = find("a=mid:")?.to_owned();
    let mut pair = find("a=ssrc-group:FID ").into_iter().flat_map(str::split_ascii_whitespace).map(str::parse);
    let (ssrc, rtx) = match (pair.next(), pair.next()) {
        (Some(Ok(ssrc)), Some(Ok(rtx))) => (ssrc, Some(rtx)),
        _ => (find("a=ssrc:")?.split_ascii_whitespace().next()?.parse().ok()?, None),
    };
    Some(Stream { mid, payload_type, ssrc, rtx })
}

/// An offer that ends the sections with these mids, and leaves all others of the server's offer as they were answered.
pub fn closing(offer: &str, credentials: &Credentials, ended: &BTreeSet<String>) -> String {
    let answered = answer(offer, credentials).replace("a=setup:active\r\n", "a=setup:actpass\r\n");
    let head = answered.lines().take_while(|line| !line.starts_with("m="));
    let mut out = String::with_capacity(answered.len());
    for line in head {
        let Some(group) = line.strip_prefix("a=group:BUNDLE") else {
            let _ = write!(out, "{line}\r\n");
            continue;
        };
        let live: Vec<&str> = group.split_ascii_whitespace().filter(|mid| !ended.contains(*mid)).collect();
        let _ = write!(out, "a=group:BUNDLE {}\r\n", live.join(" "));
    }
    for section in sections(&answered) {
        let ends = section.iter().filter_map(|line| line.strip_prefix("a=mid:")).any(|mid| ended.contains(mid));
        for line in section {
            let _ = match line {
                line if ends && line.starts_with("m=") => {
                    let mut words: Vec<&str> = line.split(' ').collect();
                    words.get_mut(1).into_iter().for_each(|port| *port = "0");
                    write!(out, "{}\r\n", words.join(" "))
                }
                "a=recvonly" if ends => write!(out, "a=inactive\r\n"),
                line => write!(out, "{line}\r\n"),
            };
        }
    }
    out
}

/// Reads the server's half of a description.
///
/// # Errors
/// If something is missing.
pub fn read(description: &str) -> anyhow::Result<Remote> {
    let find = |name: &str| {
        let found = description.lines().find_map(|line| line.strip_prefix(name));
        found.map(str::to_owned).with_context(|| format!("the server's description has no {name}"))
    };
    let credentials =
        Credentials { ufrag: find("a=ice-ufrag:")?, password: find("a=ice-pwd:")?, fingerprint: find("a=fingerprint:")? };
    Ok(Remote { credentials, candidates: description.lines().filter_map(candidate).collect() })
}

/// `a=candidate:0 1 udp 2130706431 192.0.2.1 40000 typ host`
fn candidate(line: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = line.strip_prefix("a=candidate:")?.split_ascii_whitespace().collect();
    let [_, _, protocol, _, address, port, ..] = words[..] else { return None };
    let address: IpAddr = address.parse().ok()?;
    protocol.eq_ignore_ascii_case("udp").then_some(SocketAddr::new(address, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(name: &str) -> Credentials {
        Credentials { ufrag: format!("{name}u"), password: format!("{name}p"), fingerprint: format!("sha-256 {name}") }
    }

    #[test]
    fn an_answer_turns_an_offer_around() {
        let offered = offer(&credentials("server"), &[Kind::Video]) + "a=candidate:0 1 udp 1 192.0.2.1 40000 typ host\r\n";
        let remote = read(&offered).unwrap();
        assert_eq!(remote.credentials, credentials("server"));
        assert_eq!(remote.candidates, ["192.0.2.1:40000".parse().unwrap()]);
        let answered = answer(&offered, &credentials("client"));
        assert_eq!(read(&answered).unwrap(), Remote { credentials: credentials("client"), candidates: vec![] });
        assert_eq!(answered.matches("a=recvonly\r\n").count(), 3);
        assert_eq!(answered.matches("a=setup:active\r\n").count(), 3);
    }

    /// A server's offer of a voice and a picture, cut down.
    const OFFERED: &str = "v=0\r\na=group:BUNDLE 0 v p\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=recvonly\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:v\r\na=sendonly\r\na=ssrc:7 cname:x\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:p\r\na=sendonly\r\na=ssrc-group:FID 8 9\r\na=ssrc:8 cname:x\r\n";

    #[test]
    fn the_streams_of_an_offer_are_found() {
        let voice = Stream { mid: "v".into(), payload_type: 111, ssrc: 7, rtx: None };
        let picture = Stream { mid: "p".into(), payload_type: 96, ssrc: 8, rtx: Some(9) };
        assert_eq!(streams(OFFERED), [voice, picture]);
        assert_eq!(streams("v=0"), []);
    }

    #[test]
    fn sections_that_end_leave_the_others_as_they_were() {
        let closed = closing(OFFERED, &credentials("client"), &["v".to_owned()].into());
        assert!(closed.contains("a=group:BUNDLE 0 p\r\n"), "{closed}");
        assert!(closed.contains("m=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:v\r\na=inactive\r\n"), "{closed}");
        assert!(closed.contains("m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:p\r\na=recvonly\r\n"), "{closed}");
    }

    #[test]
    fn a_description_without_credentials_is_none() {
        assert!(read("v=0\r\na=ice-ufrag:x\r\n").is_err());
    }
}
