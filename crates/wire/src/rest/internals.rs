//! What the client SDK asks with a participant token while it starts and runs. Seen in the web SDK 2.0.2, and in older ones
//! where it says so.
//! Except for [`IceServers`], [`OlderChatUploadAnswer`] and [`Flags`] each is the `data` of an envelope.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::presets::{PresetConfig, PresetPermissions, PresetUi};
use super::secret::Secret;

/// Answer to `GET /v2/internals/participant-details`, the first thing a client asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParticipantDetails {
    /// The token's owner.
    pub participant: DetailsParticipant,
    /// The token's meeting.
    pub meeting: DetailsMeeting,
    /// Where signaling is, if not beside the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub socket: Option<DetailsSocket>,
    /// What the person may do and how it looks.
    pub preset: DetailsPreset,
}

/// The token's owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DetailsParticipant {
    /// The participant's id, the client's `userId`.
    pub id: String,
    /// Display name, or null.
    pub name: Option<String>,
    /// Address of a portrait. Absent if there is none: null would make the client fail to join (seen in web SDK 2.0.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub picture: Option<String>,
    /// The integrator's own id for the person.
    pub custom_participant_id: String,
    /// The app's id.
    pub organization_id: String,
}

/// The token's meeting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DetailsMeeting {
    /// The title, or empty text.
    pub title: String,
}

/// Where signaling is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DetailsSocket {
    /// The client connects to `wss://socket-edge.` followed by this; may contain a port.
    pub base_uri: String,
}

/// A preset as clients get it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DetailsPreset {
    /// The preset's id.
    pub id: String,
    /// The preset's name.
    pub name: String,
    /// Kind of meeting and media settings.
    pub config: PresetConfig,
    /// What the person may do.
    pub permissions: PresetPermissions,
    /// Look of the client.
    pub ui: PresetUi,
    /// When it was made; the Android core 1.3.0 does not start without (its decoder).
    pub created_at: String,
    /// When it was changed last; as above.
    pub updated_at: String,
}

/// Answer to `GET /v2/plugins/user`, which cores 0.1 to 1.5.1 and all of Dyte's ask before anything works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserPlugins {
    /// Salon has none.
    pub plugins: Vec<serde_json::Value>,
}

/// Answer to `POST /v2/internals/rooms`, which cores 0.1 to 1.3, all of Dyte's and Android's ask before they join.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RoomDetails {
    /// The meeting's title, or empty text.
    pub title: String,
    /// Where an older media server was. Text in any case: Android's decoder wants it.
    pub room_node_link: String,
    /// An older media server again: no.
    pub use_hive_media: bool,
    /// Which numbers the media messages have: with 3 those that Salon speaks.
    pub sfu: u8,
}

/// Answer to `POST /api/v1/identities/`: switches of features, asked by cores 0.1 to 1.4 and all of Dyte's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flags {
    /// None is switched.
    pub flags: Vec<serde_json::Value>,
    /// Nothing is known of the person.
    pub traits: Vec<serde_json::Value>,
}

/// Answer to `GET /iceservers`, bare: clients look for the list beside `success`, not in `data`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IceServers {
    /// False makes clients go on without servers.
    pub success: bool,
    /// As the browser's `RTCPeerConnection` takes them. Clients keep a list that is not empty for the whole session.
    pub ice_servers: Vec<IceServer>,
}

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IceServer {
    /// Addresses such as `stun:host:port`.
    pub urls: Vec<String>,
    /// The first of them: the Android core 1.3.0 reads no other (its decoder). Browsers pass over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// User name for TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub username: Option<String>,
    /// Password for TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false)]
    pub credential: Option<Secret>,
}

/// `POST /v2/meetings/chat-upload`: a file is to be shown in chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatUploadBody {
    /// The meeting's id, despite the name.
    #[serde(rename = "roomUUID")]
    pub meeting_id: String,
    /// Name of the file.
    pub filename: String,
    /// How long the file is wanted; no source gives the unit, Salon takes it for seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expiry: Option<f64>,
}

/// Answer to a chat upload. The client puts the raw file to one address, without credentials,
/// and writes the other into the message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatUpload {
    /// Where people read the file.
    pub get_location: String,
    /// Where the file goes.
    pub put_location: String,
}

/// Answer to `POST /v1/meetings/genPreSignedUploadUrl`, the older name of a chat upload (cores 0.1 to 1.2.0, Dyte's, Android).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OlderChatUploadAnswer {
    /// The two addresses.
    pub data: OlderChatUpload,
}

/// The addresses of a [`ChatUpload`] under their older names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OlderChatUpload {
    /// Where people read the file.
    pub get_location: String,
    /// Where the file goes.
    pub put_location: String,
}

/// Answer to `GET /v2/meetings/{id}/active-transcript`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveTranscript {
    /// Where the transcript so far lies, a CSV line per utterance; fetched without credentials.
    pub transcript_download_url: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn somebody_without_a_picture_can_join() {
        let ada = DetailsParticipant {
            id: "p".to_owned(),
            name: Some("Ada".to_owned()),
            picture: None,
            custom_participant_id: "ada".to_owned(),
            organization_id: "o".to_owned(),
        };
        let expected = json!({"id": "p", "name": "Ada", "custom_participant_id": "ada", "organization_id": "o"});
        assert_eq!(serde_json::to_value(ada).expect("plain data"), expected);
    }

    #[test]
    fn ice_servers_are_spelled_as_the_browser_does() {
        let answer = IceServers {
            success: true,
            ice_servers: vec![IceServer {
                urls: vec!["turn:media.example.org:3478".to_owned()],
                url: Some("turn:media.example.org:3478".to_owned()),
                username: Some("1700000000:peer".to_owned()),
                credential: Some(Secret("key".to_owned())),
            }],
        };
        let expected = json!({"success": true, "iceServers": [{
            "urls": ["turn:media.example.org:3478"], "url": "turn:media.example.org:3478",
            "username": "1700000000:peer", "credential": "key",
        }]});
        assert_eq!(serde_json::to_value(answer).expect("plain data"), expected);
    }

    #[test]
    fn a_chat_upload_names_its_meeting_room_uuid() {
        let body: ChatUploadBody = serde_json::from_value(json!({"roomUUID": "m", "filename": "a.png"})).expect("a body");
        assert_eq!((body.meeting_id.as_str(), body.expiry), ("m", None));
    }
}
