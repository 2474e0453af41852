//! What may be changed of somebody's permissions during a call, and a set of such changes.
//! Invariant: changes lie over a preset and never become part of it: they end with the session.
//! Next: `session/permissions.rs`, who may change them, and what follows at once.

use std::collections::BTreeMap;

use crate::preset::{CanProduce, Entry, Preset};
use crate::track::TrackKind;

macro_rules! flags {
    ($($(#[$doc:meta])* $flag:ident = $path:literal,)*) => {
        /// A permission that is there or not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Flag {
            $($(#[$doc])* $flag,)*
        }

        impl Flag {
            pub const ALL: &[Flag] = &[$(Flag::$flag),*];

            /// Where presets have it, below `permissions`. Events are kept under this name, so it never changes.
            pub fn path(self) -> &'static str {
                match self {
                    $(Flag::$flag => $path,)*
                }
            }
        }
    };
}

flags! {
    AcceptWaitingRequests = "accept_waiting_requests",
    AcceptProductionRequests = "can_accept_production_requests",
    EditDisplayName = "can_edit_display_name",
    Record = "can_record",
    Livestream = "can_livestream",
    Spotlight = "can_spotlight",
    DisableAudio = "disable_participant_audio",
    DisableVideo = "disable_participant_video",
    DisableScreenshare = "disable_participant_screensharing",
    KickParticipant = "kick_participant",
    PinParticipant = "pin_participant",
    Transcription = "transcription_enabled",
    ShowParticipantList = "show_participant_list",
    ChangePermissions = "can_change_participant_permissions",
    PollsCreate = "polls.can_create",
    PollsVote = "polls.can_vote",
    PollsView = "polls.can_view",
    PluginsStart = "plugins.can_start",
    PluginsClose = "plugins.can_close",
    PublicChatSend = "chat.public.can_send",
    PublicChatText = "chat.public.text",
    PublicChatFiles = "chat.public.files",
    PrivateChatSend = "chat.private.can_send",
    PrivateChatReceive = "chat.private.can_receive",
    PrivateChatText = "chat.private.text",
    PrivateChatFiles = "chat.private.files",
    AlterConnectedMeetings = "connected_meetings.can_alter_connected_meetings",
    SwitchConnectedMeetings = "connected_meetings.can_switch_connected_meetings",
    SwitchToParentMeeting = "connected_meetings.can_switch_to_parent_meeting",
}

/// Where media comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Microphone,
    Camera,
    /// With its sound.
    Screen,
}

impl Source {
    pub const ALL: &[Source] = &[Source::Microphone, Source::Camera, Source::Screen];

    pub fn of(kind: TrackKind, screen_share: bool) -> Self {
        match (screen_share, kind) {
            (true, _) => Source::Screen,
            (false, TrackKind::Audio) => Source::Microphone,
            (false, TrackKind::Video) => Source::Camera,
        }
    }

    /// Where presets have it; see [`Flag::path`].
    pub fn path(self) -> &'static str {
        match self {
            Source::Microphone => "media.audio.can_produce",
            Source::Camera => "media.video.can_produce",
            Source::Screen => "media.screenshare.can_produce",
        }
    }
}

/// Permissions that are no longer as the preset has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub flags: BTreeMap<Flag, bool>,
    pub media: BTreeMap<Source, CanProduce>,
    /// How the person comes in the next time.
    pub entry: Option<Entry>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.media.is_empty() && self.entry.is_none()
    }

    /// Takes newer changes in; where both have something to say, the newer have the word.
    pub fn merge(&mut self, newer: &Changes) {
        self.flags.extend(&newer.flags);
        self.media.extend(&newer.media);
        self.entry = newer.entry.or(self.entry);
    }

    /// The part of these that `known` does not say already.
    pub fn beyond(&self, known: &Changes) -> Changes {
        let flags = self.flags.iter().filter(|(flag, value)| known.flags.get(flag) != Some(value));
        let media = self.media.iter().filter(|(source, value)| known.media.get(source) != Some(value));
        Changes {
            flags: flags.map(|(flag, value)| (*flag, *value)).collect(),
            media: media.map(|(source, value)| (*source, *value)).collect(),
            entry: self.entry.filter(|entry| known.entry != Some(*entry)),
        }
    }

    /// Lays the changes over a preset.
    pub fn apply(&self, preset: &mut Preset) {
        for (flag, value) in &self.flags {
            if let Some(permission) = preset.permission_mut(*flag) {
                *permission = *value;
            }
        }
        for (source, value) in &self.media {
            match source {
                Source::Microphone => preset.audio = *value,
                Source::Camera => preset.video = *value,
                Source::Screen => preset.screenshare = *value,
            }
        }
        preset.entry = self.entry.unwrap_or(preset.entry);
    }
}

impl Preset {
    /// The permission as the session enforces it; `None` for those that it has no part in.
    fn permission_mut(&mut self, flag: Flag) -> Option<&mut bool> {
        Some(match flag {
            Flag::AcceptWaitingRequests => &mut self.accept_waiting_requests,
            Flag::AcceptProductionRequests => &mut self.accept_production_requests,
            Flag::EditDisplayName => &mut self.can_edit_display_name,
            Flag::Record => &mut self.can_record,
            Flag::Livestream => &mut self.can_livestream,
            Flag::Spotlight => &mut self.can_spotlight,
            Flag::DisableAudio => &mut self.disable_audio,
            Flag::DisableVideo => &mut self.disable_video,
            Flag::DisableScreenshare => &mut self.disable_screenshare,
            Flag::KickParticipant => &mut self.kick_participant,
            Flag::PinParticipant => &mut self.pin_participant,
            Flag::ChangePermissions => &mut self.change_permissions,
            Flag::PollsCreate => &mut self.polls.can_create,
            Flag::PollsVote => &mut self.polls.can_vote,
            Flag::PollsView => &mut self.polls.can_view,
            Flag::PluginsStart => &mut self.plugins.can_start,
            Flag::PluginsClose => &mut self.plugins.can_close,
            Flag::PublicChatSend => &mut self.public_chat.can_send,
            Flag::PublicChatText => &mut self.public_chat.text,
            Flag::PublicChatFiles => &mut self.public_chat.files,
            Flag::PrivateChatSend => &mut self.private_chat.can_send,
            Flag::PrivateChatReceive => &mut self.private_chat.can_receive,
            Flag::PrivateChatText => &mut self.private_chat.text,
            Flag::PrivateChatFiles => &mut self.private_chat.files,
            Flag::AlterConnectedMeetings => &mut self.connected.can_alter,
            Flag::SwitchConnectedMeetings => &mut self.connected.can_switch,
            Flag::SwitchToParentMeeting => &mut self.connected.can_switch_to_parent,
            Flag::Transcription => &mut self.transcription,
            // The list is the client's to show or not.
            Flag::ShowParticipantList => return None,
        })
    }

    /// Whether media of this source may be published at all, as far as the preset goes: on or off a stage is another
    /// question. With a stage, leave to ask becomes leave to publish once on it (presets.md, stage rules).
    pub fn may_produce(&self, source: Source) -> bool {
        let can_produce = match source {
            Source::Microphone => self.audio,
            Source::Camera => self.video,
            Source::Screen => self.screenshare,
        };
        match can_produce {
            CanProduce::Allowed => true,
            CanProduce::CanRequest => self.has_stage(),
            CanProduce::NotAllowed => false,
        }
    }
}
