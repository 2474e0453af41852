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
    pub disable_audio: bool,
    pub disable_video: bool,
    pub disable_screenshare: bool,
    pub can_edit_display_name: bool,
    pub show_participant_list: bool,
    pub audio: CanProduce,
    pub video: CanProduce,
    pub screenshare: CanProduce,
    /// A stage exists for this person: always for webinars and livestreams, else by `stage_enabled`.
    pub stage_enabled: bool,
    /// `stage_access`; `None` is derived from what may be published.
    pub stage_access: Option<CanProduce>,
    /// Screen shares at once in the session (`max_screenshare_count`).
    pub max_screenshares: usize,
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
            disable_audio: false,
            disable_video: false,
            disable_screenshare: false,
            can_edit_display_name: true,
            show_participant_list: true,
            audio: CanProduce::Allowed,
            video: CanProduce::Allowed,
            screenshare: CanProduce::Allowed,
            stage_enabled: false,
            stage_access: None,
            max_screenshares: 1,
        }
    }

    /// Whether this person sees a stage at all.
    pub fn has_stage(&self) -> bool {
        self.stage_enabled || matches!(self.view_type, ViewType::Webinar | ViewType::Livestream)
    }

    /// Whether this person is on stage from the moment of joining.
    ///
    /// Without a stage everyone is. With one, those whose `stage_access` is allowed are; where it is unset it follows
    /// from what may be published (derived as web SDK 2.0.2 derives it).
    pub fn joins_on_stage(&self) -> bool {
        if !self.has_stage() {
            return true;
        }
        let any_media_allowed = [self.audio, self.video, self.screenshare].contains(&CanProduce::Allowed);
        match self.stage_access {
            Some(access) => access == CanProduce::Allowed,
            None => any_media_allowed,
        }
    }
}
