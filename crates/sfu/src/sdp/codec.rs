//! The codecs we forward, how descriptions call them, and which of two sides' payload types mean the same stream.
//! We decode nothing, so a payload type is forwarded if its packets have a format that `../engine/payload.rs` can read.
//! Taken once per codec name: VP9 and AV1 in profile 0 only, H.264 in the profiles browsers offer. Not taken: RED, FEC.

use serde::{Deserialize, Serialize};

use super::kind::Kind;

/// What the payloads of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Format {
    /// RFC 7587
    Opus,
    /// RFC 7741
    Vp8,
    /// Profile 0 (RFC 9628).
    Vp9,
    /// RFC 6184
    H264(H264),
    /// Profile 0 (AOM, RTP Payload Format For AV1).
    Av1,
}

/// What decoders of H.264 must know beforehand; the level is not part of it, as `level-asymmetry-allowed` is offered by
/// all browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct H264 {
    pub profile: Profile,
    /// Packetization mode 1: pictures may be cut into pieces and gathered (RFC 6184 section 6.2). Else mode 0.
    pub fragments: bool,
}

/// Profiles of H.264 (RFC 6184 section 8.1, table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
}

impl Profile {
    /// Of six hex digits `profile-level-id`.
    fn parse(id: &str) -> Option<Self> {
        if id.len() != 6 || !id.is_ascii() {
            return None;
        }
        let byte = |at: usize| u8::from_str_radix(id.get(at..at + 2)?, 16).ok();
        let (idc, constraints) = (byte(0)?, byte(2)?);
        byte(4)?;
        // The lower four bits are reserved but in the profile High.
        Some(match (idc, constraints >> 4) {
            (0x42, c) if c & 0b0100 != 0 => Self::ConstrainedBaseline,
            (0x4d, c) if c & 0b1000 != 0 => Self::ConstrainedBaseline,
            (0x58, c) if c & 0b1100 == 0b1100 => Self::ConstrainedBaseline,
            (0x42, _) => Self::Baseline,
            (0x58, c) if c & 0b1000 != 0 => Self::Baseline,
            (0x4d, _) => Self::Main,
            (0x64, 0) if constraints == 0x0c => Self::ConstrainedHigh,
            (0x64, 0) => Self::High,
            _ => return None,
        })
    }

    /// Whether a decoder of this profile decodes streams of the other (ITU-T H.264 annex A.2). Baseline counts as
    /// constrained: what it has more, slices in any order, no browser sends, though Chromium offers it first.
    fn decodes(self, other: Self) -> bool {
        self == other
            || matches!(other, Self::ConstrainedBaseline | Self::Baseline)
            || (self == Self::High && matches!(other, Self::Main | Self::ConstrainedHigh))
    }
}

impl Format {
    /// The format of an `a=rtpmap` and its `a=fmtp`, if we forward it.
    pub(crate) fn parse(map: &str, fmtp: &str) -> Option<Self> {
        let is = |name: &str| map.eq_ignore_ascii_case(name);
        let zero = |name: &str| parameter(fmtp, name).is_none_or(|value| value == "0");
        if is("opus/48000/2") {
            Some(Self::Opus)
        } else if is("VP8/90000") {
            Some(Self::Vp8)
        } else if is("VP9/90000") {
            zero("profile-id").then_some(Self::Vp9)
        } else if is("AV1/90000") {
            zero("profile").then_some(Self::Av1)
        } else if is("H264/90000") {
            let profile = Profile::parse(parameter(fmtp, "profile-level-id").unwrap_or("420010"))?;
            let fragments = match parameter(fmtp, "packetization-mode") {
                None | Some("0") => false,
                Some("1") => true,
                Some(_) => return None,
            };
            Some(Self::H264(H264 { profile, fragments }))
        } else {
            None
        }
    }

    /// As written in `a=rtpmap`.
    pub(crate) fn map(self) -> &'static str {
        match self {
            Self::Opus => "opus/48000/2",
            Self::Vp8 => "VP8/90000",
            Self::Vp9 => "VP9/90000",
            Self::H264(_) => "H264/90000",
            Self::Av1 => "AV1/90000",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Opus => Kind::Audio,
            Self::Vp8 | Self::Vp9 | Self::H264(_) | Self::Av1 => Kind::Video,
        }
    }

    /// The format parameters worth repeating to who wrote them. H.264's must be repeated (RFC 6184 section 8.2.2), those
    /// of VP9 and AV1 say that profile 0 is meant.
    pub(crate) fn echoed(self, fmtp: &str) -> String {
        let known: &[&str] = match self {
            Self::Opus => &["minptime", "useinbandfec", "stereo", "sprop-stereo", "maxaveragebitrate", "usedtx", "cbr"],
            Self::Vp8 => &[],
            Self::Vp9 => &["profile-id"],
            Self::H264(_) => &["level-asymmetry-allowed", "packetization-mode", "profile-level-id"],
            Self::Av1 => &["level-idx", "profile", "tier"],
        };
        let name = |p: &&str| known.contains(&p.split('=').next().unwrap_or(p));
        fmtp.split(';').map(str::trim).filter(name).collect::<Vec<_>>().join(";")
    }

    /// Whether packets of the other format may go to who takes this one.
    pub(crate) fn takes(self, other: Self) -> bool {
        match (self, other) {
            (Self::H264(us), Self::H264(them)) => us.profile.decodes(them.profile) && (us.fragments || !them.fragments),
            _ => self == other,
        }
    }

    /// Whether this is the other in all but that pictures may be cut into pieces. Without that, each piece of a picture
    /// must fit a packet, which encoders are bad at.
    pub(crate) fn improves(self, other: Self) -> bool {
        match (self, other) {
            (Self::H264(us), Self::H264(them)) => us.profile == them.profile && us.fragments && !them.fragments,
            _ => false,
        }
    }
}

/// The value of a format parameter.
fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|p| p.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h264(id: &str) -> Option<Profile> {
        match Format::parse("H264/90000", &format!("packetization-mode=1;profile-level-id={id}"))? {
            Format::H264(h264) => Some(h264.profile),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn profiles_that_browsers_offer_are_known() {
        for (id, expected) in [
            ("42e01f", Some(Profile::ConstrainedBaseline)),
            ("42E01F", Some(Profile::ConstrainedBaseline)),
            ("4dc01f", Some(Profile::ConstrainedBaseline)),
            ("58c01f", Some(Profile::ConstrainedBaseline)),
            ("42001f", Some(Profile::Baseline)),
            ("58801f", Some(Profile::Baseline)),
            ("4d001f", Some(Profile::Main)),
            ("640c1f", Some(Profile::ConstrainedHigh)),
            ("64001f", Some(Profile::High)),
            ("f4001f", None),
            ("58001f", None),
            ("64001", None),
            ("64001g", None),
            ("64é1f", None),
            ("", None),
        ] {
            assert_eq!(h264(id), expected, "{id}");
        }
    }

    #[test]
    fn only_what_can_be_forwarded_is_taken() {
        for (map, fmtp, taken) in [
            ("VP8/90000", "", true),
            ("vp9/90000", "profile-id=0", true),
            ("VP9/90000", "", true),
            ("VP9/90000", "profile-id=2", false),
            ("AV1/90000", "level-idx=5;profile=0;tier=0", true),
            ("AV1/90000", "level-idx=5;profile=1;tier=0", false),
            ("H264/90000", "", true),
            ("H264/90000", "profile-level-id=42e01f; packetization-mode=1", true),
            ("H264/90000", "profile-level-id=42e01f;packetization-mode=2", false),
            ("opus/48000/2", "", true),
            ("opus/48000/1", "", false),
            ("red/48000/2", "111/111", false),
            ("red/90000", "", false),
            ("ulpfec/90000", "", false),
            ("H265/90000", "", false),
        ] {
            assert_eq!(Format::parse(map, fmtp).is_some(), taken, "{map} {fmtp}");
        }
    }

    #[test]
    fn an_answer_repeats_what_was_offered_and_we_know() {
        let offered = "foo=1;level-asymmetry-allowed=1; packetization-mode=1;profile-level-id=42e01f;x";
        let format = Format::parse("H264/90000", offered).expect("H.264");
        assert_eq!(format.echoed(offered), "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f");
    }

    #[test]
    fn h264_goes_to_decoders_of_its_profile_and_of_those_above() {
        let all = [Profile::ConstrainedBaseline, Profile::Baseline, Profile::Main, Profile::ConstrainedHigh, Profile::High];
        let takers = |profile: Profile, fragments: bool| {
            let stream = Format::H264(H264 { profile, fragments });
            let taker = |(profile, fragments): (Profile, bool)| Format::H264(H264 { profile, fragments }).takes(stream);
            all.iter().map(|p| (u8::from(taker((*p, false))), u8::from(taker((*p, true))))).collect::<Vec<_>>()
        };
        assert_eq!(takers(Profile::ConstrainedBaseline, true), [(0, 1), (0, 1), (0, 1), (0, 1), (0, 1)]);
        assert_eq!(takers(Profile::ConstrainedBaseline, false), [(1, 1), (1, 1), (1, 1), (1, 1), (1, 1)]);
        assert_eq!(takers(Profile::Baseline, true), [(0, 1), (0, 1), (0, 1), (0, 1), (0, 1)]);
        assert_eq!(takers(Profile::Main, true), [(0, 0), (0, 0), (0, 1), (0, 0), (0, 1)]);
        assert_eq!(takers(Profile::ConstrainedHigh, true), [(0, 0), (0, 0), (0, 0), (0, 1), (0, 1)]);
        assert_eq!(takers(Profile::High, true), [(0, 0), (0, 0), (0, 0), (0, 0), (0, 1)]);
        assert!(!Format::Vp8.takes(Format::Vp9));
    }
}
