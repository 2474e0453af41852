//! Where livestreams are watched: playlists (HLS, RFC 8216) and what is in them, for whoever knows the secret in their address.
//! Invariant: nothing is in a playlist that cannot be fetched, and nothing can be fetched that was not in one.
//! Each player gets a playlist of its own, by which those who watch are counted, whatever is between them and us.
//! Next: `salon_recordings::Streams`.

use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use salon_core::Timestamp;
use salon_live::Remote;
use salon_recordings::{Content, SEGMENT_SECS, Segment, Segments};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::rest::error::ApiError;
use crate::rest::livestreams::LivestreamDesk;
use crate::rest::path::Named;
use crate::rfc3339::rfc3339;

/// The first playlist, which leads to the player's own.
const INDEX: &str = "index.m3u8";

/// Digits of what a player's own playlist is called by.
const VIEWER_DIGITS: usize = 32;

/// Playlists change every two seconds; segments never do.
const PLAYLIST_KEPT: &str = "no-cache";
const SEGMENT_KEPT: &str = "public, max-age=31536000, immutable";

/// Hands one of them out.
pub async fn serve(
    State(desk): State<LivestreamDesk>,
    Named((secret, name)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let gone = || ApiError::not_found("There is nothing to watch here, or not yet");
    let Some(stream) = desk.livestreams.streams().get(&secret) else {
        return Err(desk.elsewhere(&secret).await?.map_or_else(gone, ApiError::elsewhere));
    };
    if name == INDEX {
        let text = index(&stream.latest().ok_or_else(gone)?, stream.bits(), &Uuid::new_v4().simple().to_string());
        return Ok(answer(text.into(), "application/vnd.apple.mpegurl", PLAYLIST_KEPT));
    }
    if let Some(viewer) = name.strip_suffix(".m3u8") {
        if viewer.len() != VIEWER_DIGITS || !viewer.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(gone());
        }
        let text = stream.playlist(viewer, desk.clock.now().0, playlist).ok_or_else(gone)?;
        return Ok(answer(Body::from(text.to_string()), "application/vnd.apple.mpegurl", PLAYLIST_KEPT));
    }
    let path = stream.file(&name).ok_or_else(gone)?;
    // It may have become too old meanwhile.
    let content = stream.read(&path).await.map_err(|_| gone())?;
    let kind = if name.ends_with(".mp4") { "video/mp4" } else { "video/iso.segment" };
    Ok(match content {
        Content::Shared(bytes) => answer(Bytes::from_owner(bytes).into(), kind, SEGMENT_KEPT),
        Content::File { file, bytes } => {
            let mut response = answer(Body::from_stream(ReaderStream::new(file)), kind, SEGMENT_KEPT);
            response.headers_mut().insert(header::CONTENT_LENGTH, bytes.into());
            response
        }
    })
}

impl LivestreamDesk {
    /// The node that has what is watched with this secret, if it is another one. Players come back to one that is away for a moment,
    /// and to nothing that is said not to be there: so it is asked, whether it lives or not.
    async fn elsewhere(&self, secret: &str) -> Result<Option<Remote>, ApiError> {
        let Some(found) = self.store.livestream_of_secret(secret).await? else { return Ok(None) };
        let now = self.clock.now();
        let is_kept = found.is_kept && found.expires_at.is_none_or(|at| now < at);
        if found.node == self.livestreams.node() || !(found.is_active() || is_kept) {
            return Ok(None);
        }
        let its = self.store.nodes(now).await?.into_iter().find(|node| node.name == found.node);
        Ok(its.map(|node| Remote { node: node.name, address: node.address }))
    }
}

fn answer(body: Body, kind: &'static str, kept: &'static str) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

/// The playlist that leads to that of one player.
fn index(latest: &Segment, bits: u32, viewer: &str) -> String {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-STREAM-INF:BANDWIDTH={bits},CODECS=\"{}\"\n{viewer}.m3u8\n",
        latest.codecs
    )
}

/// The playlist with what can be watched.
fn playlist(segments: &Segments) -> String {
    let longest = segments.there.iter().map(|segment| (segment.ms + 500) / 1_000).max().unwrap_or_default();
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n",
        longest.max(SEGMENT_SECS),
        segments.gone,
        segments.breaks_gone
    );
    let mut before: Option<&Segment> = None;
    for segment in &segments.there {
        let breaks = before.is_some_and(|before| segment.breaks_with(before));
        if breaks {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if breaks || before.is_none() {
            let (part, at) = (segment.part, rfc3339(Timestamp(segment.at_ms)));
            let _ = writeln!(text, "#EXT-X-MAP:URI=\"{part}-{}\"\n#EXT-X-PROGRAM-DATE-TIME:{at}", segment.head);
        }
        let (secs, ms) = (segment.ms / 1_000, segment.ms % 1_000);
        let _ = writeln!(text, "#EXTINF:{secs}.{ms:03},\n{}-{}", segment.part, segment.name);
        before = Some(segment);
    }
    if segments.is_over {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(part: u32, head: &str, n: i64, ms: u64) -> Segment {
        Segment {
            part,
            name: format!("{n}.m4s"),
            head: head.to_owned(),
            codecs: "avc1.64001f,mp4a.40.2".to_owned(),
            at_ms: 1_641_997_294_388 + n * 2_000,
            ms,
        }
    }

    #[test]
    fn a_playlist_says_what_there_is_and_where_players_begin_anew() {
        let mut segments = Segments::default();
        for one in [
            segment(1, "1.mp4", 1, 2_000),
            segment(1, "1.mp4", 2, 2_000),
            segment(1, "2.mp4", 3, 2_000),
            segment(1, "2.mp4", 4, 1_234),
            segment(2, "1.mp4", 1, 2_000),
        ] {
            segments.push(one, 8_000);
        }
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n\
            #EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-INDEPENDENT-SEGMENTS\n\
            #EXT-X-MAP:URI=\"1-1.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2022-01-12T14:21:38.388Z\n#EXTINF:2.000,\n1-2.m4s\n\
            #EXT-X-DISCONTINUITY\n\
            #EXT-X-MAP:URI=\"1-2.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2022-01-12T14:21:40.388Z\n#EXTINF:2.000,\n1-3.m4s\n\
            #EXTINF:1.234,\n1-4.m4s\n\
            #EXT-X-DISCONTINUITY\n\
            #EXT-X-MAP:URI=\"2-1.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2022-01-12T14:21:36.388Z\n#EXTINF:2.000,\n2-1.m4s\n";
        assert_eq!(playlist(&segments), expected);
        segments.is_over = true;
        assert_eq!(playlist(&segments), format!("{expected}#EXT-X-ENDLIST\n"));
        let first = index(&segment(1, "1.mp4", 1, 2_000), 9_000, "ab");
        assert!(first.ends_with("BANDWIDTH=9000,CODECS=\"avc1.64001f,mp4a.40.2\"\nab.m3u8\n"), "{first}");
    }
}
