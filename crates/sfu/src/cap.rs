//! The best that may come of a track. A layer beyond it goes to nobody: packets cannot be made smaller, but the publisher's
//! next smaller layer can be sent instead.

use serde::{Deserialize, Serialize};

/// The bounds of a track. What is None is not bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cap {
    /// Width and height of a picture. By their product, so that it may be held either way; half as much again passes,
    /// because cameras have sizes of their own: 640x480 is asked for, and 848x480 comes.
    pub size: Option<(u16, u16)>,
    /// Frames a second; a fifth more passes, because cameras do not keep time.
    pub frames_per_second: Option<f32>,
    /// Payload of one layer, over seconds.
    pub bits_per_second: Option<u64>,
}

/// Of the pixels of a size that is allowed.
const PIXELS_PERCENT: u64 = 150;
const FRAMES_TIMES: f32 = 1.2;

/// How a layer is beyond what is allowed: what it is, and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Beyond {
    Size { is: (u16, u16), most: (u16, u16) },
    Frames { is: f32, most: f32 },
    Bits { is: u64, most: u64 },
}

impl Cap {
    pub(crate) fn size_beyond(&self, is: (u16, u16)) -> Option<Beyond> {
        let most = self.size?;
        let pixels = |(width, height): (u16, u16)| u64::from(width) * u64::from(height);
        (pixels(is) * 100 > pixels(most) * PIXELS_PERCENT).then_some(Beyond::Size { is, most })
    }

    pub(crate) fn frames_beyond(&self, is: f32) -> Option<Beyond> {
        let most = self.frames_per_second?;
        (is > most * FRAMES_TIMES).then_some(Beyond::Frames { is, most })
    }

    pub(crate) fn bits_beyond(&self, is: u64) -> Option<Beyond> {
        let most = self.bits_per_second?;
        (is > most).then_some(Beyond::Bits { is, most })
    }
}

impl std::fmt::Display for Beyond {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Size { is, most } => {
                write!(f, "{}x{} is more than the preset allows ({}x{})", is.0, is.1, most.0, most.1)
            }
            Self::Frames { is, most } => write!(f, "{is:.0} frames a second are more than the preset allows ({most:.0})"),
            Self::Bits { is, most } => {
                write!(f, "{} kbit/s are more than the preset allows ({})", is / 1_000, most / 1_000)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(most: (u16, u16), is: (u16, u16), passes: bool) {
        let cap = Cap { size: Some(most), ..Cap::default() };
        assert_eq!(cap.size_beyond(is).is_none(), passes, "{is:?} where {most:?} is allowed");
    }

    #[test]
    fn what_cameras_make_of_a_size_passes_and_the_next_size_does_not() {
        let (qvga, vga, hd) = ((320, 240), (640, 480), (1280, 720));
        for is in [qvga, (240, 320), (352, 288), (426, 240), (320, 180)] {
            check(qvga, is, true);
        }
        for is in [vga, (480, 640), (848, 480), (640, 360)] {
            check(vga, is, true);
            check(qvga, is, false);
        }
        for is in [hd, (720, 1280), (1280, 960)] {
            check(hd, is, true);
            check(vga, is, false);
        }
        check(hd, (1920, 1080), false);
        check((1920, 1080), (1920, 1200), true);
        check((1920, 1080), (1013, 977), true);
        check((1920, 1080), (2560, 1440), false);
    }

    #[test]
    fn what_is_not_bounded_is_never_beyond() {
        let cap = Cap::default();
        assert_eq!(cap.size_beyond((u16::MAX, u16::MAX)), None);
        assert_eq!(cap.frames_beyond(1e9), None);
        assert_eq!(cap.bits_beyond(u64::MAX), None);
    }

    #[test]
    fn it_is_said_in_words() {
        let cap = Cap { size: Some((320, 240)), frames_per_second: Some(30.0), bits_per_second: Some(2_000_000) };
        let text = |beyond: Option<Beyond>| beyond.map(|b| b.to_string()).unwrap_or_default();
        assert_eq!(text(cap.size_beyond((1280, 720))), "1280x720 is more than the preset allows (320x240)");
        assert_eq!(text(cap.frames_beyond(60.0)), "60 frames a second are more than the preset allows (30)");
        assert_eq!(text(cap.frames_beyond(33.0)), "");
        assert_eq!(text(cap.bits_beyond(9_000_000)), "9000 kbit/s are more than the preset allows (2000)");
    }
}
