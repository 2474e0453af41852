//! What a preset's quality means for packets: the size, pace and rate at which the media server stops a track.
//! Invariant: what the unmodified client publishes with this preset passes, in any browser.

use salon_core::event::TrackKind;
use salon_core::preset::{MediaQuality, PictureSize};
use salon_sfu::Cap;

/// Every camera is asked for so many frames a second, whatever the preset says; it is not told (read in web SDK 2.0.2).
const ASKED_FRAMES: u32 = 30;

/// Every screen is taken in at most this size, whatever the preset says (read in web SDK 2.0.2).
const ASKED_SCREEN: PictureSize = PictureSize::Fhd;

/// The bounds of a track of this kind.
pub fn of(allowed: &MediaQuality, kind: TrackKind, screen_share: bool) -> Cap {
    let (size, frames) = match (kind, screen_share) {
        (TrackKind::Audio, _) => return sound(allowed),
        (TrackKind::Video, false) => (allowed.camera, allowed.camera_frame_rate),
        (TrackKind::Video, true) => (larger(allowed.screen, ASKED_SCREEN), allowed.screen_frame_rate),
    };
    Cap {
        size: Some(pixels(size)),
        // Browsers that cannot slow a screen down take it at the pace of cameras.
        frames_per_second: Some(frames.max(ASKED_FRAMES) as f32),
        bits_per_second: Some(bits(size)),
    }
}

/// The client asks Opus for 32 kbit/s, twice that for either option and four times for both; what it makes of loud music and
/// of redundancy may be three times as much.
fn sound(allowed: &MediaQuality) -> Cap {
    let twice = |on: bool| if on { 2 } else { 1 };
    let asked = 32_000 * twice(allowed.stereo) * twice(allowed.high_bitrate);
    Cap { bits_per_second: Some(3 * asked), ..Cap::default() }
}

fn larger(one: PictureSize, other: PictureSize) -> PictureSize {
    if bits(one) >= bits(other) { one } else { other }
}

fn pixels(size: PictureSize) -> (u16, u16) {
    match size {
        PictureSize::Qvga => (320, 240),
        PictureSize::Vga => (640, 480),
        PictureSize::Hd => (1280, 720),
        PictureSize::Fhd => (1920, 1080),
        PictureSize::Uhd => (3840, 2160),
    }
}

/// Twice what browsers spend on such a picture at most: Chromium up to 1.7 Mbit/s at 640x480 and 5 at 1920x1080, Firefox
/// up to 2.5 and 10.
fn bits(size: PictureSize) -> u64 {
    match size {
        PictureSize::Qvga => 2_000_000,
        PictureSize::Vga => 5_000_000,
        PictureSize::Hd => 10_000_000,
        PictureSize::Fhd => 20_000_000,
        PictureSize::Uhd => 40_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: TrackKind, screen_share: bool, change: impl FnOnce(&mut MediaQuality), expected: &str) {
        let mut allowed = MediaQuality::default();
        change(&mut allowed);
        let Cap { size, frames_per_second, bits_per_second } = of(&allowed, kind, screen_share);
        let size = size.map_or("-".to_owned(), |(width, height)| format!("{width}x{height}"));
        assert_eq!(format!("{size} {} {}", frames_per_second.unwrap_or(0.0), bits_per_second.unwrap_or(0)), expected);
    }

    #[test]
    fn each_track_is_held_to_its_preset_but_never_to_less_than_the_client_sends() {
        use TrackKind::{Audio, Video};
        check(Video, false, |_| {}, "640x480 30 5000000");
        check(Video, false, |q| q.camera = PictureSize::Qvga, "320x240 30 2000000");
        check(Video, false, |q| q.camera_frame_rate = 15, "640x480 30 5000000");
        check(Video, false, |q| q.camera_frame_rate = 60, "640x480 60 5000000");
        check(Video, true, |q| q.screen = PictureSize::Qvga, "1920x1080 30 20000000");
        check(Video, true, |q| q.screen = PictureSize::Uhd, "3840x2160 30 40000000");
        check(Audio, false, |_| {}, "- 0 96000");
        check(Audio, true, |q| (q.stereo, q.high_bitrate) = (true, true), "- 0 384000");
    }
}
