//! The header extensions that we understand, by their URIs.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
pub(crate) const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
pub(crate) const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
pub(crate) const SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
pub(crate) const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
pub(crate) const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
pub(crate) const ORIENTATION: &str = "urn:3gpp:video-orientation";
pub(crate) const DEPENDENCY: &str = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

const ALL: [&str; 8] = [MID, RID, REPAIRED_RID, SEND_TIME, TRANSPORT_CC, AUDIO_LEVEL, ORIENTATION, DEPENDENCY];

pub(crate) fn serialize<S: Serializer>(extensions: &[(u8, &'static str)], serializer: S) -> Result<S::Ok, S::Error> {
    extensions.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(u8, &'static str)>, D::Error> {
    let written: Vec<(u8, String)> = Vec::deserialize(deserializer)?;
    let known = |(id, uri): (u8, String)| Some((id, *ALL.iter().find(|known| **known == uri)?));
    written.into_iter().map(known).collect::<Option<_>>().ok_or_else(|| D::Error::custom("an unknown header extension"))
}
