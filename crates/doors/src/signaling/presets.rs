//! The preset service: what people may do, read and changed during a call.
//! Invariant: a field of the wire's patch is a flag, a source of media or the way in, or it is refused; none is passed
//! over in silence.
//! Next: `salon_core::session`, `permissions.rs`.

use salon_core::permission::{Changes, Flag, Source};
use salon_core::preset::{CanProduce, Entry};
use salon_core::session::{NewPermissions, Refusal};
use salon_core::{ParticipantId, PeerId};
use salon_store::acting;
use salon_wire::signaling::socket::{preset as wire, room::RecorderType};
use serde_json::{Map, Value, json};

use crate::flows::presets;
use crate::signaling::caller::{Answer, Caller, answer};
use crate::signaling::trouble::Trouble;

/// What participants may do, changes included. The client hands the application the parts about chat, polls and plugins
/// (read in web SDK 2.0.2); looks and qualities are nobody else's.
pub async fn read(caller: &Caller, request: wire::ReadPeersPresetRequest) -> Result<Answer, Trouble> {
    let participants = request.user_ids.iter().map(|id| participant_id(id)).collect::<Result<Vec<_>, _>>()?;
    let (peer, asked) = (caller.peer.clone(), participants.clone());
    let found = caller.handle.call(move |session, now| session.read_permissions(now, &peer, &asked)).await??;
    let mut peer_presets = Vec::with_capacity(found.len());
    for (participant, (peer, changes)) in participants.into_iter().zip(found) {
        // Deleted between the question and this.
        let admission = caller.store.admission(&participant).await?.ok_or(Refusal::UnknownParticipant)?;
        peer_presets.push(peer_preset(&participant, &peer, &admission.preset, &changes)?);
    }
    answer(&wire::ReadPeersPresetResponse { peer_presets })
}

fn peer_preset(
    participant: &ParticipantId,
    peer: &PeerId,
    preset: &salon_store::Preset,
    changes: &Changes,
) -> Result<wire::PeerPreset, Trouble> {
    let mut permissions = presets::read(preset)?.permissions;
    presets::lay_over(&mut permissions, changes);
    let permissions = camel_case(serde_json::to_value(permissions).expect("permissions are plain data"));
    let json = json!({ "id": preset.id.as_str(), "name": preset.name, "permissions": permissions });
    Ok(wire::PeerPreset { user_id: participant.to_string(), peer_id: peer.to_string(), preset: json.to_string().into_bytes() })
}

/// Changes what participants may do. The answer is empty, as far as the caller is not one of them: its client would take
/// what the answer says for its own otherwise.
pub async fn change(caller: &Caller, request: wire::UpdatePeersPresetRequest) -> Result<Answer, Trouble> {
    let wanted = request.update_peers_presets.into_iter().map(from_wire).collect::<Result<Vec<_>, _>>()?;
    wanted.iter().for_each(|new| acting::about("participant", new.participant.as_str()));
    let peer = caller.peer.clone();
    let is_about_words = wanted.iter().any(|wanted| wanted.changes.flags.contains_key(&Flag::Transcription));
    caller.handle.call(move |session, now| session.change_permissions(now, &peer, &wanted)).await??;
    if is_about_words && let Some(meeting) = caller.store.meeting_of(&caller.meeting).await? {
        caller.transcripts.look(&caller.handle, &meeting);
    }
    answer(&wire::UpdatePeersPresetResponse::default())
}

/// The push about a participant's own permissions.
pub fn push(participant: &ParticipantId, changes: &Changes) -> wire::UpdatePeersPresetResponse {
    let update = wire::UpdatePeerPreset { user_ids: participant.to_string(), patch: Some(to_wire(changes)) };
    wire::UpdatePeersPresetResponse { update_peers_presets: vec![update] }
}

fn participant_id(id: &str) -> Result<ParticipantId, Trouble> {
    ParticipantId::parse(id).map_err(|_| Trouble::Malformed("a user id is not an id"))
}

fn from_wire(update: wire::UpdatePeerPreset) -> Result<NewPermissions, Trouble> {
    let mut patch = update.patch.unwrap_or_default();
    let mut changes = Changes::default();
    for flag in Flag::ALL {
        if let Some(value) = *flag_of(&mut patch, *flag) {
            changes.flags.insert(*flag, value);
        }
    }
    for source in Source::ALL {
        let Some(media) = patch.media.as_mut() else { break };
        let Some(stream) = stream_of(media, *source) else { continue };
        // Who may receive what is published is not a permission that presets have.
        if stream.can_consume.is_some_and(|leave| leave != wire::StreamPermissionType::None as i32) {
            return Err(Trouble::Malformed("can_consume cannot be changed"));
        }
        if let Some(leave) = stream.can_produce {
            changes.media.extend(can_produce(leave)?.map(|leave| (*source, leave)));
        }
    }
    if let Some(entry) = patch.waiting_room_type {
        changes.entry = self::entry(entry)?;
    }
    let recorder = patch.recorder_type.map(|kind| kind != RecorderType::None as i32);
    Ok(NewPermissions {
        participant: participant_id(&update.user_ids)?,
        changes,
        hidden: patch.hidden_participant,
        robot: recorder.or(patch.is_recorder),
    })
}

fn to_wire(changes: &Changes) -> wire::PresetUpdates {
    let mut patch = wire::PresetUpdates::default();
    for (flag, value) in &changes.flags {
        *flag_of(&mut patch, *flag) = Some(*value);
    }
    for (source, leave) in &changes.media {
        let can_produce = match leave {
            CanProduce::Allowed => wire::StreamPermissionType::Allowed,
            CanProduce::NotAllowed => wire::StreamPermissionType::NotAllowed,
            CanProduce::CanRequest => wire::StreamPermissionType::CanRequest,
        };
        let stream = wire::StreamPermission { can_produce: Some(can_produce as i32), can_consume: None };
        let media = patch.media.get_or_insert_default();
        *match source {
            Source::Microphone => &mut media.audio,
            Source::Camera => &mut media.video,
            Source::Screen => &mut media.screenshare,
        } = Some(stream);
    }
    patch.waiting_room_type = changes.entry.map(|entry| match entry {
        Entry::Skip => wire::WaitingRoomType::Skip as i32,
        Entry::OnPrivilegedEntry => wire::WaitingRoomType::OnPrivilegedUserEntry as i32,
        Entry::OnAccept => wire::WaitingRoomType::SkipOnAccept as i32,
    });
    patch
}

fn stream_of(media: &wire::MediaPermissionUpdate, source: Source) -> Option<&wire::StreamPermission> {
    match source {
        Source::Microphone => media.audio.as_ref(),
        Source::Camera => media.video.as_ref(),
        Source::Screen => media.screenshare.as_ref(),
    }
}

/// `NONE` changes nothing: clients pass over it (read in web SDK 2.0.2).
fn can_produce(leave: i32) -> Result<Option<CanProduce>, Trouble> {
    Ok(match wire::StreamPermissionType::try_from(leave) {
        Ok(wire::StreamPermissionType::None) => None,
        Ok(wire::StreamPermissionType::Allowed) => Some(CanProduce::Allowed),
        Ok(wire::StreamPermissionType::NotAllowed) => Some(CanProduce::NotAllowed),
        Ok(wire::StreamPermissionType::CanRequest) => Some(CanProduce::CanRequest),
        Err(_) => return Err(Trouble::Malformed("can_produce has no such value")),
    })
}

fn entry(entry: i32) -> Result<Option<Entry>, Trouble> {
    Ok(match wire::WaitingRoomType::try_from(entry) {
        Ok(wire::WaitingRoomType::None) => None,
        Ok(wire::WaitingRoomType::Skip) => Some(Entry::Skip),
        Ok(wire::WaitingRoomType::OnPrivilegedUserEntry) => Some(Entry::OnPrivilegedEntry),
        Ok(wire::WaitingRoomType::SkipOnAccept) => Some(Entry::OnAccept),
        Err(_) => return Err(Trouble::Malformed("waiting_room_type has no such value")),
    })
}

/// Where the wire's patch has a flag.
fn flag_of(patch: &mut wire::PresetUpdates, flag: Flag) -> &mut Option<bool> {
    fn public(patch: &mut wire::PresetUpdates) -> &mut wire::PublicChatPermission {
        patch.chat.get_or_insert_default().public.get_or_insert_default()
    }
    fn private(patch: &mut wire::PresetUpdates) -> &mut wire::PrivateChatPermission {
        patch.chat.get_or_insert_default().private.get_or_insert_default()
    }
    match flag {
        Flag::AcceptWaitingRequests => &mut patch.accept_waiting_requests,
        Flag::AcceptProductionRequests => &mut patch.can_accept_production_requests,
        Flag::EditDisplayName => &mut patch.can_edit_display_name,
        Flag::Record => &mut patch.can_record,
        Flag::Livestream => &mut patch.can_livestream,
        Flag::Spotlight => &mut patch.can_spotlight,
        Flag::DisableAudio => &mut patch.disable_participant_audio,
        Flag::DisableVideo => &mut patch.disable_participant_video,
        Flag::DisableScreenshare => &mut patch.disable_participant_screensharing,
        Flag::KickParticipant => &mut patch.kick_participant,
        Flag::PinParticipant => &mut patch.pin_participant,
        Flag::Transcription => &mut patch.transcription_enabled,
        Flag::ShowParticipantList => &mut patch.show_participant_list,
        Flag::ChangePermissions => &mut patch.can_change_participant_permissions,
        Flag::PollsCreate => &mut patch.polls.get_or_insert_default().can_create,
        Flag::PollsVote => &mut patch.polls.get_or_insert_default().can_vote,
        Flag::PollsView => &mut patch.polls.get_or_insert_default().can_view,
        Flag::PluginsStart => &mut patch.plugins.get_or_insert_default().can_start,
        Flag::PluginsClose => &mut patch.plugins.get_or_insert_default().can_close,
        Flag::PublicChatSend => &mut public(patch).can_send,
        Flag::PublicChatText => &mut public(patch).text,
        Flag::PublicChatFiles => &mut public(patch).files,
        Flag::PrivateChatSend => &mut private(patch).can_send,
        Flag::PrivateChatReceive => &mut private(patch).can_receive,
        Flag::PrivateChatText => &mut private(patch).text,
        Flag::PrivateChatFiles => &mut private(patch).files,
        Flag::AlterConnectedMeetings => &mut patch.connected_meetings.get_or_insert_default().can_alter_connected_meetings,
        Flag::SwitchConnectedMeetings => &mut patch.connected_meetings.get_or_insert_default().can_switch_connected_meetings,
        Flag::SwitchToParentMeeting => &mut patch.connected_meetings.get_or_insert_default().can_switch_to_parent_meeting,
    }
}

/// The keys as clients read them.
fn camel_case(json: Value) -> Value {
    match json {
        Value::Object(fields) => {
            let renamed: Map<String, Value> = fields.into_iter().map(|(key, value)| (camel(&key), camel_case(value))).collect();
            Value::Object(renamed)
        }
        other => other,
    }
}

fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(patch: wire::PresetUpdates) -> Result<NewPermissions, Trouble> {
        from_wire(wire::UpdatePeerPreset { user_ids: "bo".to_owned(), patch: Some(patch) })
    }

    #[test]
    fn every_permission_goes_over_the_wire_and_back() {
        let mut all: Vec<Changes> = Vec::new();
        for flag in Flag::ALL {
            all.extend([true, false].map(|value| Changes { flags: [(*flag, value)].into(), ..Changes::default() }));
        }
        for source in Source::ALL {
            for leave in [CanProduce::Allowed, CanProduce::NotAllowed, CanProduce::CanRequest] {
                all.push(Changes { media: [(*source, leave)].into(), ..Changes::default() });
            }
        }
        for entry in [Entry::Skip, Entry::OnPrivilegedEntry, Entry::OnAccept] {
            all.push(Changes { entry: Some(entry), ..Changes::default() });
        }
        for changes in all {
            assert_eq!(patched(to_wire(&changes)).unwrap().changes, changes);
        }
    }

    #[test]
    fn what_is_not_a_permission_is_refused_or_changes_nothing() {
        let audio = |can_produce, can_consume| {
            let audio = Some(wire::StreamPermission { can_produce, can_consume });
            let media = Some(wire::MediaPermissionUpdate { audio, ..wire::MediaPermissionUpdate::default() });
            patched(wire::PresetUpdates { media, ..wire::PresetUpdates::default() })
        };
        assert!(audio(Some(0), None).unwrap().changes.is_empty());
        assert!(audio(Some(9), None).is_err());
        assert!(audio(Some(1), Some(2)).is_err());
        assert!(patched(wire::PresetUpdates { waiting_room_type: Some(9), ..wire::PresetUpdates::default() }).is_err());
        let robot = wire::PresetUpdates { recorder_type: Some(1), ..wire::PresetUpdates::default() };
        assert_eq!(patched(robot).unwrap().robot, Some(true));
    }

    #[test]
    fn keys_are_as_clients_read_them() {
        let read = json!({ "can_record": true, "chat": { "private": { "can_send": 1 } }, "plugins": { "config": {} } });
        let told = json!({ "canRecord": true, "chat": { "private": { "canSend": 1 } }, "plugins": { "config": {} } });
        assert_eq!(camel_case(read), told);
    }
}
