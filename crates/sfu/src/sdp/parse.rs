//! Reads an offer or answer into `Remote`. Tolerant: unknown lines are skipped, order does not matter,
//! duplicate feedback lines, direction in extmap and braces in msid are taken as they come.
//! Never trusts a count or length: all are bounded by `limits.rs`.

use super::{BadSdp, Codec, Credentials, Direction, Format, Kind, Remote, RemoteLine};
use crate::limits::{CODECS_PER_LINE, MSID_BYTES, SDP_ATTRIBUTES, SDP_BYTES, SDP_LINES};

/// str0m keeps a mid in 16 bytes and a rid in 8; a longer one could not be told apart in packets.
const MID_BYTES: usize = 16;
const RID_BYTES: usize = 8;

/// Kinds of feedback kept of one codec; browsers write five.
const FEEDBACK_PER_CODEC: usize = 16;

pub(crate) fn parse(text: &str) -> Result<Remote, BadSdp> {
    if text.len() > SDP_BYTES {
        return Err(BadSdp::new("too long"));
    }
    if !text.starts_with("v=0") {
        return Err(BadSdp::new("does not start with v=0"));
    }
    let mut session = Attributes::default();
    let mut sections: Vec<Section> = Vec::new();
    for line in text.split(['\r', '\n']).map(str::trim_end) {
        if let Some(rest) = line.strip_prefix("m=") {
            if sections.len() >= SDP_LINES {
                return Err(BadSdp::new("too many m-lines"));
            }
            sections.push(Section::begin(rest)?);
        } else if let Some(attribute) = line.strip_prefix("a=") {
            match sections.last_mut() {
                Some(section) => section.attributes.read(attribute),
                None => session.read(attribute),
            }
        }
    }
    if sections.is_empty() {
        return Err(BadSdp::new("no m-lines"));
    }
    let credentials = credentials(&session, &sections)?;
    let bundle = session.bundle.take();
    let extensions_mixed = session.extensions_mixed || sections.iter().any(|s| s.attributes.extensions_mixed);
    let mut lines: Vec<RemoteLine> = Vec::with_capacity(sections.len());
    for section in sections {
        let line = section.finish(bundle.as_deref(), session.direction)?;
        if !line.mid.is_empty() && lines.iter().any(|l| l.mid == line.mid) {
            return Err(BadSdp::new("two m-lines with the same mid"));
        }
        lines.push(line);
    }
    Ok(Remote { credentials, extensions_mixed, lines })
}

fn credentials(session: &Attributes, sections: &[Section]) -> Result<Credentials, BadSdp> {
    // Stopped sections may repeat stale values, so ask the live ones first.
    let live = sections.iter().filter(|s| s.port != 0 || s.attributes.bundle_only);
    let all = || live.clone().map(|s| &s.attributes).chain([session]).chain(sections.iter().map(|s| &s.attributes));
    let find = |what: &str, get: fn(&Attributes) -> &Option<String>| {
        all().find_map(|a| get(a).clone()).ok_or_else(|| BadSdp::new(format!("no {what}")))
    };
    Ok(Credentials {
        ufrag: find("ice-ufrag", |a| &a.ufrag)?,
        password: find("ice-pwd", |a| &a.password)?,
        fingerprint: find("fingerprint", |a| &a.fingerprint)?,
    })
}

/// The attributes of the session part or of one m-line, before they are judged.
#[derive(Default)]
struct Attributes {
    ufrag: Option<String>,
    password: Option<String>,
    fingerprint: Option<String>,
    bundle: Option<Vec<String>>,
    mid: Option<String>,
    direction: Option<Direction>,
    bundle_only: bool,
    extensions_mixed: bool,
    msid: Option<(String, String)>,
    rtpmap: Vec<(u8, String)>,
    fmtp: Vec<(u8, String)>,
    feedback: Vec<(String, String)>,
    extensions: Vec<(u8, String)>,
    rids: Vec<String>,
    simulcast: Vec<String>,
}

impl Attributes {
    fn read(&mut self, attribute: &str) {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let value = value.trim();
        match name {
            "ice-ufrag" => self.ufrag = Some(value.to_owned()),
            "ice-pwd" => self.password = Some(value.to_owned()),
            // A later sha-256 wins over an earlier weaker hash (RFC 8122 section 5).
            "fingerprint" if self.fingerprint.is_none() || starts_with_ignore_case(value, "sha-256 ") => {
                self.fingerprint = Some(value.to_owned());
            }
            "group" => {
                let mut words = value.split_ascii_whitespace();
                if words.next() == Some("BUNDLE") {
                    self.bundle = Some(words.take(SDP_LINES).map(str::to_owned).collect());
                }
            }
            "mid" => self.mid = Some(value.to_owned()),
            "sendrecv" => self.direction = Some(Direction::SendRecv),
            "sendonly" => self.direction = Some(Direction::SendOnly),
            "recvonly" => self.direction = Some(Direction::RecvOnly),
            "inactive" => self.direction = Some(Direction::Inactive),
            "bundle-only" => self.bundle_only = true,
            "extmap-allow-mixed" => self.extensions_mixed = true,
            "msid" => {
                let (stream, track) = value.split_once(' ').unwrap_or((value, ""));
                if value.len() <= MSID_BYTES {
                    self.msid = Some((stream.to_owned(), track.trim().to_owned()));
                }
            }
            "rtpmap" => numbered(&mut self.rtpmap, value),
            "fmtp" => numbered(&mut self.fmtp, value),
            "rtcp-fb" => {
                if let Some((pt, feedback)) = value.split_once(' ')
                    && self.feedback.len() < SDP_ATTRIBUTES
                {
                    self.feedback.push((pt.to_owned(), feedback.trim().to_owned()));
                }
            }
            "extmap" => {
                // "9/sendonly urn:..": Firefox adds a direction.
                if let Some((id, uri)) = value.split_once(' ')
                    && let Ok(id) = id.split('/').next().unwrap_or(id).parse()
                    && self.extensions.len() < SDP_ATTRIBUTES
                {
                    let uri = uri.split_ascii_whitespace().next().unwrap_or_default();
                    self.extensions.push((id, uri.to_owned()));
                }
            }
            "rid" => {
                let mut words = value.split_ascii_whitespace();
                if let (Some(rid), Some("send")) = (words.next(), words.next())
                    && self.rids.len() < SDP_ATTRIBUTES
                {
                    self.rids.push(rid.to_owned());
                }
            }
            "simulcast" => {
                // "send f;h,x;~q recv ..": alternatives by comma, paused layers by tilde (RFC 8853 section 5.1).
                let mut words = value.split_ascii_whitespace();
                while let Some(word) = words.next() {
                    let Some(list) = words.next() else { break };
                    if word == "send" {
                        let list = list.split(';').filter_map(|l| l.split(',').next());
                        self.simulcast = list.take(SDP_ATTRIBUTES).map(|l| l.trim_start_matches('~').to_owned()).collect();
                    }
                }
            }
            _ => {}
        }
    }
}

fn numbered(into: &mut Vec<(u8, String)>, value: &str) {
    if let Some((pt, rest)) = value.split_once(' ')
        && let Ok(pt) = pt.parse::<u8>()
        && pt < 128
        && into.len() < SDP_ATTRIBUTES
    {
        into.push((pt, rest.trim().to_owned()));
    }
}

fn starts_with_ignore_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|t| t.eq_ignore_ascii_case(start))
}

struct Section {
    media: String,
    port: u16,
    protocol: String,
    formats: Vec<String>,
    attributes: Attributes,
}

impl Section {
    /// `video 9 UDP/TLS/RTP/SAVPF 96 97`
    fn begin(rest: &str) -> Result<Self, BadSdp> {
        let mut words = rest.split_ascii_whitespace();
        let (Some(media), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
            return Err(BadSdp::new("m-line too short"));
        };
        let port = port.parse().map_err(|_| BadSdp::new("m-line without a port"))?;
        if !token(media, 32) || !token(protocol, 64) {
            return Err(BadSdp::new("m-line with odd characters"));
        }
        let formats: Vec<String> = words.take(SDP_ATTRIBUTES).filter(|f| token(f, 64)).map(str::to_owned).collect();
        Ok(Self { media: media.to_owned(), port, protocol: protocol.to_owned(), formats, attributes: Attributes::default() })
    }

    fn finish(mut self, bundle: Option<&[String]>, session_direction: Option<Direction>) -> Result<RemoteLine, BadSdp> {
        let kind = match self.media.as_str() {
            "audio" => Some(Kind::Audio),
            "video" => Some(Kind::Video),
            _ => None,
        };
        let mid = self.attributes.mid.take().unwrap_or_default();
        // A stopped line may come without its mid; the slot tells which it is.
        let stopped_without = mid.is_empty() && self.port == 0;
        if !stopped_without && !token(&mid, MID_BYTES) {
            return Err(BadSdp::new("mid missing, too long or odd"));
        }
        let in_bundle = bundle.is_none_or(|mids| mids.contains(&mid));
        let rejected = stopped_without || (self.port == 0 && !(self.attributes.bundle_only && in_bundle));
        let rids = match self.attributes.simulcast.is_empty() {
            true => Vec::new(),
            false => {
                let declared = &self.attributes.rids;
                let list = self.attributes.simulcast.iter();
                list.filter(|r| declared.contains(r) && token(r, RID_BYTES)).cloned().collect()
            }
        };
        let codecs = kind.map(|kind| self.codecs(kind)).unwrap_or_default();
        let direction = self.attributes.direction.or(session_direction).unwrap_or(Direction::SendRecv);
        let format = self.formats.into_iter().next().unwrap_or_else(|| "0".to_owned());
        let extensions = self.attributes.extensions;
        let msid = self.attributes.msid;
        Ok(RemoteLine {
            kind,
            media: self.media,
            protocol: self.protocol,
            format,
            mid,
            direction,
            msid,
            codecs,
            extensions,
            rids,
            rejected,
        })
    }

    /// In the order of the m-line, which is the order of preference (RFC 3264 section 5.1).
    fn codecs(&self, kind: Kind) -> Vec<Codec> {
        let Attributes { rtpmap, fmtp, feedback, .. } = &self.attributes;
        let fmtp_of = |pt: u8| fmtp.iter().find(|(p, _)| *p == pt).map_or("", |(_, f)| f.as_str());
        let listed: Vec<u8> = self.formats.iter().filter_map(|f| f.parse().ok()).collect();
        let maps = || listed.iter().filter_map(|pt| rtpmap.iter().find(|(p, _)| p == pt).map(|(pt, map)| (*pt, map.as_str())));
        // What each retransmission payload type is for.
        let apt = |pt: u8| fmtp_of(pt).split(';').find_map(|p| p.trim().strip_prefix("apt=")?.parse::<u8>().ok());
        let resends = maps().filter(|(_, map)| starts_with_ignore_case(map, "rtx/"));
        let resends: Vec<(u8, u8)> = resends.filter_map(|(pt, _)| Some((pt, apt(pt)?))).collect();
        let mut codecs: Vec<Codec> = Vec::new();
        for (pt, map) in maps() {
            let Some(format) = Format::parse(map, fmtp_of(pt)).filter(|f| f.kind() == kind) else { continue };
            if codecs.len() >= CODECS_PER_LINE || codecs.iter().any(|c| c.pt == pt) {
                continue;
            }
            let rtx = resends.iter().find(|(rtx, apt)| *apt == pt && *rtx != pt).map(|(rtx, _)| *rtx);
            let mut taken: Vec<String> = Vec::new();
            for (on, what) in feedback {
                if taken.len() < FEEDBACK_PER_CODEC && (on == "*" || on.parse() == Ok(pt)) && !taken.contains(what) {
                    taken.push(what.clone());
                }
            }
            codecs.push(Codec { format, pt, rtx, fmtp: fmtp_of(pt).to_owned(), feedback: taken });
        }
        codecs
    }
}

/// Whether `text` may be echoed as one word: printable ASCII, not empty, not longer than `most`.
fn token(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROMIUM: &str = include_str!("samples/chromium-send.sdp");
    const FIREFOX: &str = include_str!("samples/firefox-send.sdp");

    fn good(text: &str) -> Remote {
        parse(text).expect("good SDP")
    }

    #[test]
    fn chromium_offers_are_understood() {
        let remote = good(CHROMIUM);
        assert_eq!(remote.credentials.ufrag, "abcd");
        let opus = remote.lines[0].codec().expect("opus");
        assert_eq!((opus.pt, opus.rtx), (111, None));
        assert!(opus.fmtp.contains("maxaveragebitrate=32000"));
        let vp8 = remote.lines[1].codec().expect("VP8");
        assert_eq!((vp8.pt, vp8.rtx), (96, Some(97)));
        assert_eq!(vp8.feedback.len(), 5);
        assert_eq!(remote.lines[1].rids, ["f", "h", "q"]);
        assert_eq!(remote.lines[3].rids, ["f", "h"]);
        assert_eq!(remote.lines[3].codec().expect("VP8").rtx, None);
        assert_eq!(remote.lines[2].msid, Some(("a".into(), "b".into())));
        assert!(remote.lines.iter().all(|l| l.direction == Direction::SendOnly && !l.rejected));
    }

    #[test]
    fn codecs_come_in_the_order_of_the_line() {
        let order = |text: &str| good(text).lines[1].codecs.iter().map(|c| (c.pt, c.rtx)).collect::<Vec<_>>();
        assert_eq!(order(CHROMIUM), [(96, Some(97)), (102, Some(103)), (45, Some(46))]);
        let liked = CHROMIUM.replace("SAVPF 96 97 102 103 45 46", "SAVPF 46 45 103 102 96 97");
        assert_eq!(order(&liked), [(45, Some(46)), (102, Some(103)), (96, Some(97))]);
        let mut whole = CHROMIUM.replace("packetization-mode=1;", "");
        assert_eq!(good(&whole).lines[1].codecs[1].pt, 102);
        whole = whole.replace("SAVPF 96 97 102 103 45 46", "SAVPF 102 104 103");
        whole = whole.replace(
            "a=rtpmap:103",
            "a=rtpmap:104 H264/90000\r\na=fmtp:104 profile-level-id=42001f;packetization-mode=1\r\na=rtpmap:103",
        );
        assert_eq!(good(&whole).lines[1].codec().expect("H.264").pt, 104, "rather in pieces");
    }

    #[test]
    fn firefox_offers_with_port_0_are_no_refusals() {
        let remote = good(FIREFOX);
        assert!(remote.lines.iter().all(|l| !l.rejected));
        assert_eq!(remote.credentials.ufrag, "deadbeef");
        let vp8 = remote.lines[1].codec().expect("VP8");
        assert_eq!((vp8.pt, vp8.rtx), (120, Some(124)));
        assert!(remote.lines[1].extensions.contains(&(9, "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id".into())));
        assert_eq!(remote.lines[2].msid, Some(("{s}".into(), "{t}".into())));
        // The SDK appends this line, even twice.
        assert_eq!(remote.lines[2].codec().expect("opus").feedback, ["nack"]);
    }

    #[test]
    fn port_0_out_of_the_bundle_is_a_stop() {
        let stopped = FIREFOX.replace("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1");
        assert!(good(&stopped).lines[2].rejected);
        let stopped = FIREFOX.replacen("a=bundle-only\r\n", "", 1);
        assert!(good(&stopped).lines[1].rejected);
    }

    #[test]
    fn a_line_with_neither_port_nor_mid_is_stopped_with_or_without_a_bundle() {
        let nameless = FIREFOX.replace("a=mid:1\r\n", "");
        assert!(good(&nameless).lines[1].rejected);
        assert!(good(&nameless.replace("a=group:BUNDLE 0 1 2\r\n", "")).lines[1].rejected);
    }

    #[test]
    fn broken_descriptions_are_refused() {
        let without = |what: &str| CHROMIUM.lines().filter(|l| !l.starts_with(what)).collect::<Vec<_>>().join("\r\n");
        for bad in [
            String::new(),
            "v=0".into(),
            "hello".into(),
            without("a=ice-ufrag"),
            without("a=ice-pwd"),
            without("a=fingerprint"),
            without("a=mid"),
            without("m="),
            CHROMIUM.replace("a=mid:1", "a=mid:0"),
            CHROMIUM.replace("a=mid:1", "a=mid:a-mid-that-is-longer-than-packets-can-say"),
            CHROMIUM.replace("m=video 9", "m=video nine"),
            format!("{CHROMIUM}{}", "a=x\r\n".repeat(SDP_BYTES)),
            format!("{CHROMIUM}{}", "m=video 0 x 0\r\n".repeat(SDP_LINES)),
        ] {
            assert!(parse(&bad).is_err(), "{}", &bad[..bad.len().min(200)]);
        }
    }

    #[test]
    fn a_lone_carriage_return_ends_a_line_and_is_never_part_of_one() {
        let odd = CHROMIUM.replace("useinbandfec=1\r\n", "useinbandfec=1\ra=smuggled:1\r\n");
        assert_ne!(odd, CHROMIUM);
        let opus = good(&odd).lines[0].codec().cloned().expect("opus");
        assert!(opus.fmtp.ends_with("useinbandfec=1"), "{}", opus.fmtp);
    }

    #[test]
    fn line_endings_and_order_do_not_matter() {
        let unix = CHROMIUM.replace("\r\n", "\n");
        assert_eq!(good(&unix).lines.len(), 4);
    }
}
