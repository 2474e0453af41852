//! The kinds of track a report tells apart, by the names the contract has for them.

use salon_sfu::Kind;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    AudioProducer,
    VideoProducer,
    ScreenshareAudioProducer,
    ScreenshareVideoProducer,
    AudioConsumer,
    VideoConsumer,
    ScreenshareAudioConsumer,
    ScreenshareVideoConsumer,
}

impl Role {
    pub(crate) fn of(produces: bool, kind: Kind, screen: bool) -> Self {
        match (produces, kind, screen) {
            (true, Kind::Audio, false) => Self::AudioProducer,
            (true, Kind::Video, false) => Self::VideoProducer,
            (true, Kind::Audio, true) => Self::ScreenshareAudioProducer,
            (true, Kind::Video, true) => Self::ScreenshareVideoProducer,
            (false, Kind::Audio, false) => Self::AudioConsumer,
            (false, Kind::Video, false) => Self::VideoConsumer,
            (false, Kind::Audio, true) => Self::ScreenshareAudioConsumer,
            (false, Kind::Video, true) => Self::ScreenshareVideoConsumer,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::AudioProducer => "audio_producer",
            Self::VideoProducer => "video_producer",
            Self::ScreenshareAudioProducer => "screenshare_audio_producer",
            Self::ScreenshareVideoProducer => "screenshare_video_producer",
            Self::AudioConsumer => "audio_consumer",
            Self::VideoConsumer => "video_consumer",
            Self::ScreenshareAudioConsumer => "screenshare_audio_consumer",
            Self::ScreenshareVideoConsumer => "screenshare_video_consumer",
        }
    }

    pub fn produces(self) -> bool {
        matches!(
            self,
            Self::AudioProducer | Self::VideoProducer | Self::ScreenshareAudioProducer | Self::ScreenshareVideoProducer
        )
    }

    pub fn is_video(self) -> bool {
        matches!(
            self,
            Self::VideoProducer | Self::ScreenshareVideoProducer | Self::VideoConsumer | Self::ScreenshareVideoConsumer
        )
    }

    pub fn is_screen(self) -> bool {
        matches!(
            self,
            Self::ScreenshareAudioProducer
                | Self::ScreenshareVideoProducer
                | Self::ScreenshareAudioConsumer
                | Self::ScreenshareVideoConsumer
        )
    }
}
