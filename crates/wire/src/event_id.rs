//! The number each signaling message travels under, a module per service, and its name for logs.
//! The high 16 bits are the service, the low 16 bits the method. Source: the web SDK 2.0.2.
//! In the docs below `in` is what a client sends, `answer` echoes its event and id, `push` comes unasked.
//! An SDK's push listeners also see the answers, so an answer must decode as the push of its event.
//! Next: `signaling.rs` for the payloads.

/// The request with this message's id failed: carries `media::edge::ErrorResponse`.
pub const ERROR: u32 = 65535;

/// The event's service and name as the SDK spells it, such as `room.joinRoom`; none for a stranger's number.
pub fn name(id: u32) -> Option<&'static str> {
    match id {
        ERROR => Some("error"),
        _ => SERVICES.iter().flat_map(|events| events.iter()).find(|(known, _)| *known == id).map(|(_, name)| *name),
    }
}

const SERVICES: [&[(u32, &str)]; 6] = [room::NAMES, chat::NAMES, plugins::NAMES, polls::NAMES, presets::NAMES, media::NAMES];

macro_rules! service {
    (
        $(#[$module_doc:meta])* $module:ident, $base:literal;
        $($(#[$doc:meta])* $constant:ident = $method:literal, $name:literal;)*
    ) => {
        $(#[$module_doc])*
        pub mod $module {
            $($(#[$doc])* pub const $constant: u32 = $base | $method;)*

            pub(super) const NAMES: &[(u32, &str)] =
                &[$(($constant, concat!(stringify!($module), ".", $name))),*];
        }
    };
}

service! {
    /// Service 0: who is in the room, stage, waiting room, connected rooms, broadcasts. Payloads: `socket::room`.
    room, 0x0000_0000;
    /// In `GetPeerInfoRequest`, answer `PeerInfoResponse`.
    GET_PEER_INFO = 0, "getPeerInfo";
    /// In `UpdatePeerInfoRequest`. The web SDK never sends it.
    UPDATE_PEER_INFO = 1, "updatePeerInfo";
    /// In nothing, or `RoomPeersInfoRequest` to page and search; answer `RoomPeersInfoResponse`.
    GET_ROOM_PEERS_INFO = 2, "getRoomPeersInfo";
    /// In `JoinRoomRequest`, answer `PeerInfoResponse` about the caller, push the same to everyone else.
    /// Stage type 0 reads as off stage: who may publish right away needs `OnStage`.
    JOIN_ROOM = 3, "joinRoom";
    /// In `LeaveRoomRequest` (clients rather close the socket); push `PeerInfoResponse` to those who stay.
    LEAVE_ROOM = 4, "leaveRoom";
    /// In nothing, answer `RoomInfoResponse`.
    GET_ROOM_INFO = 5, "getRoomInfo";
    /// Unused by the web SDK.
    UPDATE_ROOM_INFO = 6, "updateRoomInfo";
    /// Unused by the web SDK.
    CLOSE_ROOM = 7, "closeRoom";
    /// Push `livestreaming::LiveStreamingEvent`.
    STARTED_LIVESTREAM = 8, "startedLivestream";
    /// Push `livestreaming::LiveStreamingEvent`.
    STOPPED_LIVESTREAM = 9, "stoppedLivestream";
    /// Push `livestreaming::LiveStreamingEvent`.
    ERRORED_LIVESTREAM = 10, "erroredLivestream";
    /// Answer `livestreaming::GetStagePeersResponse`. The web SDK never asks.
    GET_STAGE_PEERS = 11, "getStagePeers";
    /// In nothing; answer, and push to those who may accept, `livestreaming::GetStageRequestsResponse`.
    GET_STAGE_REQUESTS = 12, "getStageRequests";
    /// In nothing; no answer awaited.
    REQUEST_STAGE_ACCESS = 13, "requestStageAccess";
    /// In nothing; no answer awaited.
    CANCEL_STAGE_REQUEST = 14, "cancelStageRequest";
    /// In `livestreaming::GrantStageAccessRequest`, no answer awaited; push without payload to the granted peer.
    GRANT_STAGE_ACCESS = 15, "grantStageAccess";
    /// In `livestreaming::DenyStageAccessRequest`, no answer awaited; push without payload to the denied peer.
    DENY_STAGE_ACCESS = 16, "denyStageAccess";
    /// Push `RoomPeerCountResponse`: how many watch a livestream.
    ROOM_PEER_COUNT = 17, "roomPeerCount";
    /// In nothing; the answer goes out under [`PEER_STAGE_STATUS_UPDATE`] with this request's id.
    JOIN_STAGE = 18, "joinStage";
    /// In `livestreaming::LeaveStageRequest`. Leaving oneself is answered under [`PEER_STAGE_STATUS_UPDATE`],
    /// taking others off stage under this event.
    LEAVE_STAGE = 19, "leaveStage";
    /// In nothing; answer and push `GetConnectedRoomsDumpResponse`, always with its parent meeting.
    GET_CONNECTED_ROOMS_DUMP = 20, "getConnectedRoomsDump";
    /// In `CreateConnectedRoomsRequest`, answer `CreateConnectedRoomsResponse`.
    /// Callers learn the new list from [`CONNECTED_ROOMS_UPDATED`], not from the answer.
    CREATE_CONNECTED_ROOMS = 21, "createConnectedRooms";
    /// In `DisableConnectedRoomsRequest`, answer `DisableConnectedRoomsResponse`.
    /// Callers learn the new list from [`CONNECTED_ROOMS_DELETED`], not from the answer.
    DELETE_CONNECTED_ROOMS = 22, "deleteConnectedRooms";
    /// In `MovePeersBetweenRoomsRequest`, answer `MovePeersBetweenRoomsResponse`.
    /// Clients search the raw answer for the text `error`, so a success must not contain it anywhere.
    MOVE_PEERS = 23, "movePeers";
    /// Push `TransferPeer` to the peer being moved.
    TRANSFER_PEER = 24, "transferPeer";
    /// Push `MovedPeer`.
    MOVED_PEER = 25, "movedPeer";
    /// Push `CreateConnectedRoomsResponse`.
    CONNECTED_ROOMS_UPDATED = 26, "connectedRoomsUpdated";
    /// Push `DisableConnectedRoomsResponse`.
    CONNECTED_ROOMS_DELETED = 27, "connectedRoomsDeleted";
    /// In nothing, answer `GetAllAddedParticipantsResponse`.
    GET_ALL_ADDED_PARTICIPANTS = 28, "getAllAddedParticipants";
    /// In `BroadcastMessage`, answer the same message again, push it to all who joined.
    BROADCAST_MESSAGE = 29, "broadcastMessage";
    /// In `RemoveParticipantsRequest`, sent twice per kick; push with any payload to the kicked.
    /// Never answer under this event: the kicker would take the answer for its own kick.
    KICK = 30, "kick";
    /// In `media::edge::KickAllPeersRequest`; push with any payload to everyone, the sender too.
    /// No answer besides that push, as with [`KICK`].
    KICK_ALL = 31, "kickAll";
    /// Push `ai::MeetingTranscript`.
    TRANSCRIPT = 32, "transcript";
    /// In nothing, no answer awaited; push `GetWaitingRoomRequests`, the whole list, to those who may accept.
    GET_WAITING_ROOM_REQUESTS = 33, "getWaitingRoomRequests";
    /// In `AcceptWaitingRoomRequests`; no answer awaited.
    ACCEPT_WAITING_ROOM_REQUESTS = 34, "acceptWaitingRoomRequests";
    /// Push with any payload to the peer who waited.
    WAITING_ROOM_REQUEST_ACCEPTED = 35, "waitingRoomRequestAccepted";
    /// In `DenyWaitingRoomRequests`; no answer awaited.
    DENY_WAITING_ROOM_REQUESTS = 36, "denyWaitingRoomRequests";
    /// Push with any payload to the peer who waited.
    WAITING_ROOM_REQUEST_DENIED = 37, "waitingRoomRequestDenied";
    /// Push `PeerStatusUpdate` to everyone, the peer it is about too.
    PEER_STAGE_STATUS_UPDATE = 38, "peerStageStatusUpdate";
    /// In `BroadcastMessage` to named peers (no answer awaited) or meetings (any answer); push it to them.
    BROADCAST_TO_ENTITY = 39, "broadcastToEntity";
    /// Push `recording::RecordingEvent`.
    RECORDING_STARTED = 40, "recordingStarted";
    /// Push `recording::RecordingEvent`.
    RECORDING_STOPPED = 41, "recordingStopped";
    /// Push `recording::RecordingEvent`.
    RECORDING_PAUSED = 42, "recordingPaused";
    /// In nothing, answer `GetRoomStageStateResponse`. The web SDK never asks.
    GET_ROOM_STAGE_STATE = 43, "getRoomStageState";
    /// Push `livestreaming::LiveStreamingEvent` with `manual_ingest`.
    LIVESTREAMING_INVOKED = 44, "livestreamingInvoked";
}

service! {
    /// Service 1: chat. Payloads: `socket::chat`. Pushes reach the sender too: it renders its own words from them.
    chat, 0x0001_0000;
    /// In nothing, answer `GetChatMessagesResponse`.
    GET_MESSAGES = 0, "getMessages";
    /// In `SendChatMessageToRoomRequest`, no answer awaited; push `SendChatMessageToRoomResponse` to everyone.
    SEND_MESSAGE_TO_ROOM = 1, "sendMessageToRoom";
    /// In `SendChatMessageToPeersRequest` (the sender is among its peers), no answer awaited;
    /// push `SendChatMessageToPeersResponse` to those peers.
    SEND_MESSAGE_TO_PEERS = 2, "sendMessageToPeers";
    /// In `EditChatMessageRequest`; answer, and push to all who see the message, `EditChatMessageResponse`.
    EDIT_MESSAGE = 3, "editMessage";
    /// In `DeleteChatMessageRequest`; answer, and push to all who saw the message, `DeleteChatMessageResponse`.
    DELETE_MESSAGE = 4, "deleteMessage";
    /// In `GetPaginatedChatMessageRoomRequest`, answer `GetPaginatedChatMessageRoomResponse`.
    GET_PAGINATED_MESSAGES = 5, "getPaginatedMessages";
    /// In `SearchChatMessagesRequest`, answer `GetChatMessagesResponse`. No public call of the web SDK leads here.
    SEARCH_CHANNEL_MESSAGES = 7, "searchChannelMessages";
    /// In `PinChatMessageRequest`; answer, and push to everyone, `PinChatMessageResponse`.
    PIN_MESSAGE = 10, "pinMessage";
}

service! {
    /// Service 2: plugins (unused by the web SDK) and the shared key-value stores. Payloads: `socket::plugin`.
    plugins, 0x0002_0000;
    /// Unused by the web SDK.
    GET_PLUGINS = 0, "getPlugins";
    /// Unused by the web SDK.
    ADD_PLUGIN = 1, "addPlugin";
    /// Unused by the web SDK.
    ENABLE_PLUGIN_FOR_ROOM = 2, "enablePluginForRoom";
    /// Unused by the web SDK.
    DISABLE_PLUGIN_FOR_PEERS = 3, "disablePluginForPeers";
    /// Unused by the web SDK.
    ENABLE_PLUGIN_FOR_PEERS = 4, "enablePluginForPeers";
    /// Unused by the web SDK.
    DISABLE_PLUGIN_FOR_ROOM = 5, "disablePluginForRoom";
    /// Unused by the web SDK.
    REMOVE_PLUGIN = 6, "removePlugin";
    /// Unused by the web SDK.
    CUSTOM_PLUGIN_EVENT_TO_ROOM = 7, "customPluginEventToRoom";
    /// Unused by the web SDK.
    CUSTOM_PLUGIN_EVENT_TO_PEERS = 8, "customPluginEventToPeers";
    /// In `PluginStoreInsertKeysRequest`, no answer awaited; push `PluginStoreResponse` to everyone else.
    /// Clients skip items that carry their own peer id.
    STORE_INSERT_KEYS = 9, "storeInsertKeys";
    /// In `PluginStoreGetKeysRequest` (no keys asks for all); push `PluginStoreResponse` to the caller, even if empty.
    /// Clients wait 3 seconds for it while they start, then fail to start.
    STORE_GET_KEYS = 10, "storeGetKeys";
    /// In `PluginStoreDeleteKeysRequest`, no answer awaited; push `PluginStoreResponse` to everyone else.
    STORE_DELETE_KEYS = 11, "storeDeleteKeys";
    /// In `PluginStoreDeleteRequest`. The web SDK never sends it.
    STORE_DELETE = 12, "storeDelete";
}

service! {
    /// Service 3: polls. Payloads: `socket::polls`. Pushes reach the sender too.
    polls, 0x0003_0000;
    /// In `NewPollRequest`, no answer awaited; push `UpdatePollResponse` to everyone.
    CREATE_POLL = 0, "createPoll";
    /// In nothing, answer `GetPollsResponse`.
    GET_POLLS = 1, "getPolls";
    /// In `VotePollRequest`, no answer awaited; push `UpdatePollResponse` to everyone, here or as [`UPDATE_POLL`].
    VOTE_POLL = 2, "votePoll";
    /// Push `UpdatePollResponse`.
    UPDATE_POLL = 3, "updatePoll";
}

service! {
    /// Service 5: permissions changed during a session. Payloads: `socket::preset`.
    presets, 0x0005_0000;
    /// In `ReadPeersPresetRequest`, answer `ReadPeersPresetResponse`: presets as JSON, camelCase inside `permissions`.
    GET_USER_PRESETS = 0, "getUserPresets";
    /// In `UpdatePeersPresetRequest`, any answer; push `UpdatePeersPresetResponse` to the people it names.
    UPDATE_USER_PRESET = 1, "updateUserPreset";
}

service! {
    /// The media service: transports, producers, consumers, speakers, host controls. Payloads: `media`, `media::edge`.
    media, 0x0300_0000;
    /// Never sent: the zero of the SDK's enum.
    UNKNOWN = 0, "unknown";
    /// In `CreateTransportRequest` with an offer, answer `CreateTransportResponse` with the SDP answer.
    CREATE_WEBRTC_TRANSPORT = 1, "createWebRTCTransport";
    /// In `ProducerCreateRequest` with an offer, answer `ProducerCreateResponse` with the SDP answer and the new id.
    PRODUCE = 2, "produce";
    /// In `ConsumePeersRequest`, answer `ConsumePeerResponse` with an offer of ours and the consumers by producer.
    CONSUME = 3, "consume";
    /// In `ProducerToggleRequest`, no answer awaited; others hear [`PEER_PRODUCER_TOGGLE_BROADCAST`].
    TOGGLE_PRODUCER = 4, "toggleProducer";
    /// In `ConsumerToggleRequest`. The web SDK never sends it.
    TOGGLE_CONSUMER = 5, "toggleConsumer";
    /// In `ProducerCloseRequest` with an offer, answer `ProducerClosingResponse` with the SDP answer.
    CLOSE_PRODUCER = 6, "closeProducer";
    /// In `ConsumerCloseRequest` with an offer and mids, answer `ConsumerClosingResponse` with the SDP answer.
    CLOSE_CONSUMER = 7, "closeConsumer";
    /// In `UpdateConsumersSimulcastConfigRequest`, any answer.
    UPDATE_CONSUMERS_SIMULCAST_CONFIG = 8, "updateConsumersSimulcastConfig";
    /// In `PeerJoinRequest`, any answer, within 5 seconds.
    JOIN_ROOM = 16, "joinRoom";
    /// In `PeerLeaveRequest`, answer `PeerLeaveResponse`.
    LEAVE_ROOM = 17, "leaveRoom";
    /// Push `SelectedPeersResponse`.
    SELECTED_PEER = 18, "selectedPeer";
    /// In `GlobalPeerPinningRequest` (an empty id unpins), any answer; push [`GLOBAL_PEER_PIN_BROADCAST`].
    GLOBAL_PIN_PEER = 19, "globalPinPeer";
    /// In `PeerJoinCompleteRequest`, answer `PeerJoinCompleteResponse`, always with its room state.
    SELF_JOIN_COMPLETE = 20, "selfJoinComplete";
    /// Push `PeerJoinBroadcastResponse` to everyone else once a peer's [`SELF_JOIN_COMPLETE`] came in.
    PEER_JOINED_BROADCAST = 25, "peerJoinedBroadcast";
    /// Push `PeerLeaveBroadcastResponse`.
    PEER_LEAVE_BROADCAST = 26, "peerLeaveBroadcast";
    /// Push `PeerProducerCreateBroadcastResponse`.
    PEER_PRODUCER_CREATE_BROADCAST = 27, "peerProducerCreateBroadcast";
    /// Push `PeerProducerToggleBroadcastResponse`; to the owner too when a host switched it, then with the initiator.
    PEER_PRODUCER_TOGGLE_BROADCAST = 28, "peerProducerToggleBroadcast";
    /// Push `PeerProducerCloseBroadcastResponse`.
    PEER_PRODUCER_CLOSE_BROADCAST = 29, "peerProducerCloseBroadcast";
    /// Push `GlobalPeerPinningBroadcastResponse` to everyone, the pinner too; an empty id unpins.
    GLOBAL_PEER_PIN_BROADCAST = 30, "globalPeerPinBroadcast";
    /// Unheard by the web SDK, which listens to `room::RECORDING_STARTED`.
    RECORDING_STARTED_BROADCAST = 31, "recordingStartedBroadcast";
    /// Unheard by the web SDK, which listens to `room::RECORDING_STOPPED`.
    RECORDING_STOPPED_BROADCAST = 32, "recordingStoppedBroadcast";
    /// Unheard by the web SDK.
    PEER_DISPLAY_NAME_EDIT_BROADCAST = 33, "peerDisplayNameEditBroadcast";
    /// Push `MediaRoomTerminationBroadcastResponse`: clients join the media side anew.
    MEDIA_ROOM_TERMINATION_BROADCAST = 36, "mediaRoomTerminationBroadcastResponse";
    /// Push `SelectedPeersDiffResponse`: the order of active speakers.
    SELECTED_PEER_DIFF = 40, "selectedPeerDiff";
    /// In `media::RenegotiateRequest`, the SDP answer to the offer of [`CONSUME`]; any answer.
    RENEGOTIATE_SESSION_DESCRIPTION = 50, "renegotiateSessionDescription";
    /// The request with this message's id failed: `ErrorResponse`, as under [`super::ERROR`].
    ERROR_RESPONSE = 60, "errorResponse";
    /// Unused by the web SDK, which sends `room::KICK`.
    KICK_PEER = 90, "kickPeer";
    /// Unused by the web SDK, which sends `room::KICK_ALL`.
    KICK_ALL = 91, "kickAll";
    /// In `PeerDisplayNameEditRequest`, answer `PeerDisplayNameEditResponse` with status `success`.
    CHANGE_DISPLAY_NAME = 92, "changeDisplayName";
    /// In `HostMediaControlForPeerRequest`, answer `HostMediaControlForPeerResponse` with status `success`.
    HOST_CONTROL_PEER = 93, "hostControlPeer";
    /// In `HostMediaControlForAllPeerRequest`, answer `HostMediaControlForAllPeerResponse` with status `success`.
    HOST_CONTROL_ALL_PEERS = 94, "hostControlAllPeers";
    /// In `media::AudioActivityRequest`; no answer awaited.
    AUDIO_ACTIVITY = 100, "audioActivity";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_numbers_on_the_wire() {
        let table = [
            (room::GET_PEER_INFO, 0, "room.getPeerInfo"),
            (room::JOIN_ROOM, 3, "room.joinRoom"),
            (room::PEER_STAGE_STATUS_UPDATE, 38, "room.peerStageStatusUpdate"),
            (room::LIVESTREAMING_INVOKED, 44, "room.livestreamingInvoked"),
            (chat::GET_MESSAGES, 65_536, "chat.getMessages"),
            (chat::PIN_MESSAGE, 65_546, "chat.pinMessage"),
            (plugins::STORE_GET_KEYS, 131_082, "plugins.storeGetKeys"),
            (polls::UPDATE_POLL, 196_611, "polls.updatePoll"),
            (presets::UPDATE_USER_PRESET, 327_681, "presets.updateUserPreset"),
            (media::PRODUCE, 0x0300_0002, "media.produce"),
            (media::SELF_JOIN_COMPLETE, 50_331_668, "media.selfJoinComplete"),
            (media::AUDIO_ACTIVITY, 50_331_748, "media.audioActivity"),
            (ERROR, 65_535, "error"),
        ];
        for (constant, number, spelled) in table {
            assert_eq!(constant, number, "{spelled}");
            assert_eq!(name(constant), Some(spelled));
        }
        assert_eq!(name(0x0100_003c), None);
    }

    #[test]
    fn every_id_is_used_once() {
        let mut ids: Vec<u32> = SERVICES.iter().flat_map(|events| events.iter().map(|(id, _)| *id)).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), count), (105, 105));
    }
}
