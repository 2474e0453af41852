//! What a preset allows, as the session enforces it.
//! The whole preset (looks, qualities) is JSON elsewhere; this is the part that decides.
//! Invariant: a permission that is missing from the JSON has been given its documented default before it comes here.
//! Next: `session.rs` asks it before every action.

use crate::ids::PresetId;

/// How a person enters (`waiting_room_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Entry {
    /// Enters at once.
    #[default]
    Skip,
    /// Waits until someone who may admit people is in, then enters by itself.
    OnPrivilegedEntry,
    /// Waits until someone admits.
    OnAccept,
}

/// Leave to publish a kind of media (`can_produce`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CanProduce {
    #[default]
    Allowed,
    NotAllowed,
    CanRequest,
}

/// What kind of call this is (`view_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ViewType {
    #[default]
    GroupCall,
    Webinar,
    AudioRoom,
    Livestream,
}

/// Whether a peer is a person or one of the product's own robots (`recorder_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recorder {
    #[default]
    None,
    Recorder,
    Livestreamer,
    /// Hears what is written down, and is shown to nobody: no recording or livestream runs because of it.
    Listener,
}

/// Leave to write to everyone (`chat.public`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicChat {
    pub can_send: bool,
    pub text: bool,
    pub files: bool,
}

/// Leave to write to some people only, and to be written to (`chat.private`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrivateChat {
    pub can_send: bool,
    pub can_receive: bool,
    pub text: bool,
    pub files: bool,
}

/// Leave to use polls (`polls`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollPermissions {
    pub can_create: bool,
    pub can_vote: bool,
    pub can_view: bool,
}

/// Leave to use connected meetings (`connected_meetings`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectedPermissions {
    /// Make and delete them, and move others.
    pub can_alter: bool,
    /// Go to one.
    pub can_switch: bool,
    /// Go to the meeting they belong to.
    pub can_switch_to_parent: bool,
}

/// Leave to open and close plugins for everyone (`plugins`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginPermissions {
    pub can_start: bool,
    pub can_close: bool,
}

/// How large pictures may be (`quality`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PictureSize {
    Qvga,
    #[default]
    Vga,
    Hd,
    Fhd,
    Uhd,
}

/// The best somebody may publish (`config.media`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaQuality {
    pub camera: PictureSize,
    /// Frames a second.
    pub camera_frame_rate: u32,
    pub screen: PictureSize,
    pub screen_frame_rate: u32,
    /// Two channels of sound.
    pub stereo: bool,
    pub high_bitrate: bool,
}

impl Default for MediaQuality {
    /// As the client's own default preset has it.
    fn default() -> Self {
        Self {
            camera: PictureSize::Vga,
            camera_frame_rate: 30,
            screen: PictureSize::Hd,
            screen_frame_rate: 5,
            stereo: false,
            high_bitrate: false,
        }
    }
}

/// The permissions of one peer. Defaults are the ones the web SDK assumes when a server says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    pub id: PresetId,
    pub name: String,
    pub view_type: ViewType,
    pub entry: Entry,
    pub recorder: Recorder,
    pub hidden: bool,
    pub accept_waiting_requests: bool,
    pub kick_participant: bool,
    /// Pin people, and what others wrote.
    pub pin_participant: bool,
    pub disable_audio: bool,
    pub disable_video: bool,
    pub disable_screenshare: bool,
    pub can_edit_display_name: bool,
    /// Change what others may do, during a call.
    pub change_permissions: bool,
    /// Have the session recorded, and no more.
    pub can_record: bool,
    /// What they say is written down while they say it.
    pub transcription: bool,
    /// Have the session streamed to whoever watches, and no more.
    pub can_livestream: bool,
    /// Lead the view: show everyone the tab one looks at oneself.
    pub can_spotlight: bool,
    pub audio: CanProduce,
    pub video: CanProduce,
    pub screenshare: CanProduce,
    /// A stage exists for this person: always for webinars and livestreams, else by `stage_enabled`.
    pub stage_enabled: bool,
    /// `stage_access`; `None` is derived from what may be published.
    pub stage_access: Option<CanProduce>,
    /// Decide who may come on stage; either of the two is enough.
    pub accept_stage_requests: bool,
    pub accept_production_requests: bool,
    pub polls: PollPermissions,
    pub plugins: PluginPermissions,
    pub connected: ConnectedPermissions,
    pub public_chat: PublicChat,
    pub private_chat: PrivateChat,
    /// Screen shares at once in the session (`max_screenshare_count`).
    pub max_screenshares: usize,
    pub media: MediaQuality,
}

impl Preset {
    /// A preset with the client's defaults.
    pub fn named(id: PresetId, name: &str) -> Self {
        Self {
            id,
            name: name.to_string(),
            view_type: ViewType::GroupCall,
            entry: Entry::Skip,
            recorder: Recorder::None,
            hidden: false,
            accept_waiting_requests: false,
            kick_participant: false,
            pin_participant: false,
            disable_audio: false,
            disable_video: false,
            disable_screenshare: false,
            can_edit_display_name: true,
            change_permissions: false,
            can_record: false,
            transcription: false,
            can_livestream: false,
            can_spotlight: false,
            audio: CanProduce::Allowed,
            video: CanProduce::Allowed,
            screenshare: CanProduce::Allowed,
            stage_enabled: false,
            stage_access: None,
            accept_stage_requests: false,
            accept_production_requests: false,
            polls: PollPermissions { can_create: true, can_vote: true, can_view: true },
            plugins: PluginPermissions { can_start: true, can_close: true },
            connected: ConnectedPermissions::default(),
            public_chat: PublicChat { can_send: true, text: true, files: true },
            private_chat: PrivateChat { can_send: false, can_receive: false, text: false, files: false },
            max_screenshares: 1,
            media: MediaQuality::default(),
        }
    }

    /// Whether this person keeps order: lets people in or removes them.
    pub fn is_host(&self) -> bool {
        self.accept_waiting_requests || self.kick_participant
    }

    /// Whether this is one of the product's own robots.
    pub fn is_robot(&self) -> bool {
        self.recorder != Recorder::None
    }

    /// Whether this person sees a stage at all.
    pub fn has_stage(&self) -> bool {
        self.stage_enabled || matches!(self.view_type, ViewType::Webinar | ViewType::Livestream)
    }

    /// `stage_access`; where it is unset it follows from what may be published (as web SDK 2.0.2 derives it).
    pub fn stage_access(&self) -> CanProduce {
        let media = [self.audio, self.video, self.screenshare];
        let derived = [CanProduce::Allowed, CanProduce::CanRequest].into_iter().find(|access| media.contains(access));
        self.stage_access.or(derived).unwrap_or(CanProduce::NotAllowed)
    }

    /// Whether this person is on stage from the moment of joining.
    ///
    /// Without a stage everyone is; with one, those whose `stage_access` is allowed are.
    pub fn joins_on_stage(&self) -> bool {
        !self.has_stage() || self.stage_access() == CanProduce::Allowed
    }
}
