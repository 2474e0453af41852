//! The signaling contract as Rust types: the generated twin of `proto/*.proto`. @generated, do not edit.
//! A module per protobuf package; `message::v1::SocketMessage` is the envelope of all the others.
//! Which message travels under which event number: `event_id.rs`.
//! Rewritten by `UPDATE=1 cargo test -p salon-wire --test generated`; the same test keeps it fresh.

pub mod common {
    /// Never on a client's socket.
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct BaseHubMessage {
        #[prost(int32, tag = "1")]
        pub event: i32,
        #[prost(string, tag = "2")]
        pub id: ::prost::alloc::string::String,
        #[prost(string, tag = "3")]
        pub peer_id: ::prost::alloc::string::String,
        #[prost(string, tag = "4")]
        pub room_id: ::prost::alloc::string::String,
        #[prost(string, tag = "5")]
        pub user_id: ::prost::alloc::string::String,
        #[prost(bytes = "vec", tag = "6")]
        pub payload: ::prost::alloc::vec::Vec<u8>,
        #[prost(bool, optional, tag = "7")]
        pub error: ::core::option::Option<bool>,
        #[prost(string, optional, tag = "8")]
        pub sid: ::core::option::Option<::prost::alloc::string::String>,
        #[prost(string, optional, tag = "9")]
        pub room_object_id: ::core::option::Option<::prost::alloc::string::String>,
        #[prost(string, optional, tag = "10")]
        pub preset: ::core::option::Option<::prost::alloc::string::String>,
        #[prost(bool, optional, tag = "11")]
        pub use_start_session: ::core::option::Option<bool>,
    }
    /// Never on a client's socket.
    #[derive(Clone, PartialEq, ::prost::Message)]
    pub struct BulkedHubMessage {
        #[prost(message, repeated, tag = "1")]
        pub messages: ::prost::alloc::vec::Vec<BaseHubMessage>,
    }
    /// Never on a client's socket.
    #[derive(Clone, PartialEq, ::prost::Message)]
    pub struct CfWorkersResponse {
        #[prost(message, repeated, tag = "1")]
        pub responses: ::prost::alloc::vec::Vec<BaseHubMessage>,
        #[prost(message, repeated, tag = "2")]
        pub broadcast_responses: ::prost::alloc::vec::Vec<BaseHubMessage>,
    }
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        Hash,
        PartialOrd,
        Ord,
        ::prost::Enumeration
    )]
    #[repr(i32)]
    pub enum RecordingType {
        Browser = 0,
        Track = 1,
        Composite = 2,
    }
    impl RecordingType {
        /// String value of the enum field names used in the ProtoBuf definition.
        ///
        /// The values are not transformed in any way and thus are considered stable
        /// (if the ProtoBuf definition does not change) and safe for programmatic use.
        pub fn as_str_name(&self) -> &'static str {
            match self {
                Self::Browser => "BROWSER",
                Self::Track => "TRACK",
                Self::Composite => "COMPOSITE",
            }
        }
        /// Creates an enum from field names used in the ProtoBuf definition.
        pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
            match value {
                "BROWSER" => Some(Self::Browser),
                "TRACK" => Some(Self::Track),
                "COMPOSITE" => Some(Self::Composite),
                _ => None,
            }
        }
    }
}
pub mod media {
    /// How loud a microphone is, about every 400 ms.
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct AudioActivityRequest {
        #[prost(string, tag = "1")]
        pub producer_id: ::prost::alloc::string::String,
        /// From 0 to 10; below 5 counts as silent.
        #[prost(int32, tag = "2")]
        pub energy: i32,
        #[prost(bool, tag = "3")]
        pub silent: bool,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct Codec {
        #[prost(int32, optional, tag = "1")]
        pub channels: ::core::option::Option<i32>,
        #[prost(int32, tag = "2")]
        pub clock_rate: i32,
        #[prost(string, tag = "3")]
        pub mime_type: ::prost::alloc::string::String,
        #[prost(string, optional, tag = "4")]
        pub sdp_fmtp_line: ::core::option::Option<::prost::alloc::string::String>,
        #[prost(uint32, optional, tag = "5")]
        pub payload_type: ::core::option::Option<u32>,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct ConsumerEntry {
        #[prost(string, tag = "1")]
        pub consuming_transport_id: ::prost::alloc::string::String,
        #[prost(string, tag = "2")]
        pub consumer_id: ::prost::alloc::string::String,
    }
    /// One subscription in an answer to consume: what was made, or why not.
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct ConsumerState {
        /// Best the producer id: clients look consumers up by it when they reconnect.
        #[prost(string, tag = "1")]
        pub consumer_id: ::prost::alloc::string::String,
        #[prost(message, optional, tag = "2")]
        pub producer_state: ::core::option::Option<ProducerState>,
        #[prost(message, optional, tag = "3")]
        pub producer_track: ::core::option::Option<ProducerTrack>,
        /// `not_found_track_error` and `backend_error` are final; clients retry all others after 500 ms.
        #[prost(string, optional, tag = "4")]
        pub error_code: ::core::option::Option<::prost::alloc::string::String>,
    }
    #[derive(Clone, PartialEq, ::prost::Message)]
    pub struct CreateTransportRequest {
        #[prost(bool, tag = "1")]
        pub consuming: bool,
        #[prost(bool, optional, tag = "2")]
        pub force_tcp: ::core::option::Option<bool>,
        #[prost(message, optional, tag = "3")]
        pub description: ::core::option::Option<SessionDescription>,
        #[prost(bool, optional, tag = "4")]
        pub private_ice: ::core::option::Option<bool>,
        #[prost(message, repeated, tag = "5")]
        pub producers: ::prost::alloc::vec::Vec<ProducerPayload>,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct CreateTransportResponse {
        #[prost(string, tag = "1")]
        pub transport_id: ::prost::alloc::string::String,
        #[prost(message, optional, tag = "2")]
        pub description: ::core::option::Option<SessionDescription>,
        #[prost(bool, optional, tag = "3")]
        pub transcription_enabled: ::core::option::Option<bool>,
        #[prost(string, repeated, tag = "4")]
        pub producer_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct Fingerprint {
        #[prost(string, tag = "1")]
        pub algorithm: ::prost::alloc::string::String,
        #[prost(string, tag = "2")]
        pub value: ::prost::alloc::string::String,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct HeaderExtension {
        #[prost(string, optional, tag = "1")]
        pub direction: ::core::option::Option<::prost::alloc::string::String>,
        #[prost(string, tag = "2")]
        pub uri: ::prost::alloc::string::String,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct NestedScore {
        #[prost(int32, tag = "1")]
        pub encoding_idx: i32,
        #[prost(string, tag = "2")]
        pub rid: ::prost::alloc::string::String,
        #[prost(int32, tag = "3")]
        pub score: i32,
        #[prost(int64, tag = "4")]
        pub ssrc: i64,
    }
    #[derive(Clone, PartialEq, ::prost::Message)]
    pub struct PeerRtpCapabilitites {
        #[prost(message, optional, tag = "1")]
        pub sender: ::core::option::Option<RtpCapabilitites>,
        #[prost(message, optional, tag = "2")]
        pub receiver: ::core::option::Option<RtpCapabilitites>,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct PreferredCodec {
        #[prost(string, optional, tag = "1")]
        pub audio: ::core::option::Option<::prost::alloc::string::String>,
        #[prost(string, optional, tag = "2")]
        pub video: ::core::option::Option<::prost::alloc::string::String>,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct ProducerEntry {
        #[prost(string, tag = "1")]
        pub producing_transport_id: ::prost::alloc::string::String,
        #[prost(string, tag = "2")]
        pub producer_id: ::prost::alloc::string::String,
    }
    #[derive(Clone, PartialEq, ::prost::Message)]
    pub struct ProducerIdToConsumerMap {
        /// By producer id.
        #[prost(btree_map = "string, message", tag = "1")]
        pub map: ::prost::alloc::collections::BTreeMap<
            ::prost::alloc::string::String,
            ConsumerState,
        >,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct ProducerPayload {
        /// `audio` or `video`.
        #[prost(string, tag = "1")]
        pub kind: ::prost::alloc::string::String,
        #[prost(bool, tag = "2")]
        pub paused: bool,
        #[prost(bool, tag = "3")]
        pub screen_share: bool,
        #[prost(string, tag = "4")]
        pub msid: ::prost::alloc::string::String,
        #[prost(string, optional, tag = "5")]
        pub app_data: ::core::option::Option<::prost::alloc::string::String>,
        #[prost(string, optional, tag = "6")]
        pub mime_type: ::core::option::Option<::prost::alloc::string::String>,
    }
    /// A published track as others see it.
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct ProducerState {
        #[prost(string, tag = "1")]
        pub producer_id: ::prost::alloc::string::String,
        #[prost(enumeration = "ProducerKind", tag = "2")]
        pub kind: i32,
        #[prost(bool, tag = "3")]
        pub pause: bool,
        #[prost(bool, tag = "4")]
        pub screen_share: bool,
        /// JSON text of the publishing client, passed on as it is.
        #[prost(string, optional, tag = "5")]
        pub app_data: ::core::option::Option<::prost::alloc::string::String>,
        /// The publisher's transport; subscribers repeat it when they consume.
        #[prost(string, optional, tag = "6")]
        pub producing_transport_id: ::core::option::Option<
            ::prost::alloc::string::String,
        >,
        #[prost(string, optional, tag = "7")]
        pub mime_type: ::core::option::Option<::prost::alloc::string::String>,
        #[prost(message, optional, tag = "8")]
        pub codec: ::core::option::Option<Codec>,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct ProducerTrack {
        #[prost(string, tag = "1")]
        pub track_id: ::prost::alloc::string::String,
        #[prost(string, tag = "2")]
        pub producer_id: ::prost::alloc::string::String,
        /// The mid of the new section in our offer: clients match tracks by it.
        #[prost(string, tag = "3")]
        pub stream_id: ::prost::alloc::string::String,
    }
    /// The answer to the offer that came with consumers.
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct RenegotiateRequest {
        #[prost(string, tag = "1")]
        pub transport_id: ::prost::alloc::string::String,
        #[prost(message, optional, tag = "2")]
        pub description: ::core::option::Option<SessionDescription>,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct RenegotiateResponse {
        #[prost(string, tag = "1")]
        pub transport_id: ::prost::alloc::string::String,
        #[prost(message, optional, tag = "2")]
        pub description: ::core::option::Option<SessionDescription>,
    }
    #[derive(Clone, PartialEq, ::prost::Message)]
    pub struct RtpCapabilitites {
        #[prost(message, optional, tag = "1")]
        pub audio: ::core::option::Option<RtpCapability>,
        #[prost(message, optional, tag = "2")]
        pub video: ::core::option::Option<RtpCapability>,
    }
    #[derive(Clone, PartialEq, ::prost::Message)]
    pub struct RtpCapability {
        #[prost(message, repeated, tag = "1")]
        pub codecs: ::prost::alloc::vec::Vec<Codec>,
        #[prost(message, repeated, tag = "2")]
        pub header_extensions: ::prost::alloc::vec::Vec<HeaderExtension>,
    }
    /// A whole SDP with all candidates; nothing trickles.
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct SessionDescription {
        #[prost(enumeration = "Target", tag = "1")]
        pub target: i32,
        /// `offer` or `answer`.
        #[prost(string, tag = "2")]
        pub r#type: ::prost::alloc::string::String,
        #[prost(string, tag = "3")]
        pub sdp: ::prost::alloc::string::String,
    }
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
    pub struct Simulcast {
        /// The layer asked for: `f` full, `h` half, `q` quarter size.
        #[prost(string, optional, tag = "1")]
        pub preferred_rid: ::core::option::Option<::prost::alloc::string::String>,
        /// `asciibetical`: the order in which layers are tried.
        #[prost(string, optional, tag = "2")]
        pub priority_ordering: ::core::option::Option<::prost::alloc::string::String>,
        #[prost(string, optional, tag = "3")]
        pub rid_not_available: ::core::option::Option<::prost::alloc::string::String>,
    }
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        Hash,
        PartialOrd,
        Ord,
        ::prost::Enumeration
    )]
    #[repr(i32)]
    pub enum ProducerKind {
        Audio = 0,
        Video = 1,
    }
    impl ProducerKind {
        /// String value of the enum field names used in the ProtoBuf definition.
        ///
        /// The values are not transformed in any way and thus are considered stable
        /// (if the ProtoBuf definition does not change) and safe for programmatic use.
        pub fn as_str_name(&self) -> &'static str {
            match self {
                Self::Audio => "AUDIO",
                Self::Video => "VIDEO",
            }
        }
        /// Creates an enum from field names used in the ProtoBuf definition.
        pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
            match value {
                "AUDIO" => Some(Self::Audio),
                "VIDEO" => Some(Self::Video),
                _ => None,
            }
        }
    }
    /// Which of a client's two peer connections: the one it sends on, or the one it receives on.
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        Hash,
        PartialOrd,
        Ord,
        ::prost::Enumeration
    )]
    #[repr(i32)]
    pub enum Target {
        Publisher = 0,
        Subscriber = 1,
    }
    impl Target {
        /// String value of the enum field names used in the ProtoBuf definition.
        ///
        /// The values are not transformed in any way and thus are considered stable
        /// (if the ProtoBuf definition does not change) and safe for programmatic use.
        pub fn as_str_name(&self) -> &'static str {
            match self {
                Self::Publisher => "PUBLISHER",
                Self::Subscriber => "SUBSCRIBER",
            }
        }
        /// Creates an enum from field names used in the ProtoBuf definition.
        pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
            match value {
                "PUBLISHER" => Some(Self::Publisher),
                "SUBSCRIBER" => Some(Self::Subscriber),
                _ => None,
            }
        }
    }
    pub mod edge {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ActiveSpeakerResponse {
            #[prost(string, tag = "1")]
            pub responsepeer_id: ::prost::alloc::string::String,
            #[prost(int32, tag = "2")]
            pub volume: i32,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ConsumeMultipleProducerRequest {
            #[prost(string, repeated, tag = "1")]
            pub producer_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
            #[prost(bool, optional, tag = "2")]
            pub paused: ::core::option::Option<bool>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct ConsumeMultipleProducerResponse {
            #[prost(bool, tag = "1")]
            pub status: bool,
            #[prost(message, optional, tag = "2")]
            pub consumer_ids_map: ::core::option::Option<super::ProducerIdToConsumerMap>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ConsumePeerRequest {
            #[prost(string, tag = "1")]
            pub producing_peer_id: ::prost::alloc::string::String,
            #[prost(bool, optional, tag = "2")]
            pub paused: ::core::option::Option<bool>,
            #[prost(string, optional, tag = "3")]
            pub producer_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(message, optional, tag = "4")]
            pub preferred_codec: ::core::option::Option<super::PreferredCodec>,
            #[prost(string, optional, tag = "5")]
            pub producing_transport_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(message, optional, tag = "6")]
            pub simulcast: ::core::option::Option<super::Simulcast>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct ConsumePeerResponse {
            #[prost(bool, tag = "1")]
            pub status: bool,
            #[prost(message, optional, tag = "2")]
            pub consumer_ids_map: ::core::option::Option<super::ProducerIdToConsumerMap>,
            #[prost(message, optional, tag = "3")]
            pub description: ::core::option::Option<super::SessionDescription>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct ConsumePeersRequest {
            #[prost(message, repeated, tag = "1")]
            pub requests: ::prost::alloc::vec::Vec<ConsumePeerRequest>,
            #[prost(string, optional, tag = "2")]
            pub consuming_transport_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ConsumerCloseRequest {
            /// Mids of the receiving connection, despite the name.
            #[prost(string, repeated, tag = "1")]
            pub consumer_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
            #[prost(message, optional, tag = "2")]
            pub description: ::core::option::Option<super::SessionDescription>,
            #[prost(string, optional, tag = "3")]
            pub consuming_transport_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ConsumerClosingResponse {
            #[prost(message, optional, tag = "1")]
            pub description: ::core::option::Option<super::SessionDescription>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ConsumerToggleRequest {
            #[prost(string, tag = "1")]
            pub consumer_id: ::prost::alloc::string::String,
            #[prost(bool, tag = "2")]
            pub pause: bool,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ConsumerToggleResponse {}
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct EmptyResponse {}
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ErrorResponse {
            /// Shown to the caller. A failed consume with JSON in it can make the client renew its transport.
            #[prost(string, tag = "1")]
            pub error_message: ::prost::alloc::string::String,
            #[prost(int32, tag = "2")]
            pub event_id: i32,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GeoLocation {
            #[prost(float, tag = "1")]
            pub latitude: f32,
            #[prost(float, tag = "2")]
            pub longitude: f32,
            #[prost(string, optional, tag = "3")]
            pub region: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GetRoomStateResponse {
            #[prost(string, tag = "1")]
            pub display_title: ::prost::alloc::string::String,
            #[prost(bool, tag = "2")]
            pub locked_mode: bool,
            #[prost(string, tag = "3")]
            pub room_uuid: ::prost::alloc::string::String,
            #[prost(string, tag = "4")]
            pub room_name: ::prost::alloc::string::String,
            #[prost(string, tag = "5")]
            pub current_peer_id: ::prost::alloc::string::String,
            #[prost(bool, optional, tag = "6")]
            pub is_recording: ::core::option::Option<bool>,
            #[prost(string, optional, tag = "7")]
            pub recorder_participant_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(string, repeated, tag = "8")]
            pub pinned_peer_ids: ::prost::alloc::vec::Vec<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GlobalPeerPinningBroadcastResponse {
            /// A peer id; empty unpins.
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GlobalPeerPinningRequest {
            /// A peer id; empty unpins.
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GlobalPeerPinningResponse {}
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GlobalPeerUnPinningBroadcastResponse {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct HostMediaControlForAllPeerRequest {
            #[prost(bool, tag = "1")]
            pub audio: bool,
            #[prost(bool, tag = "2")]
            pub video: bool,
            #[prost(bool, tag = "3")]
            pub screen_share: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct HostMediaControlForAllPeerResponse {
            /// `success`, or the client throws.
            #[prost(string, tag = "1")]
            pub status: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct HostMediaControlForPeerRequest {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
            #[prost(bool, tag = "2")]
            pub audio: bool,
            #[prost(bool, tag = "3")]
            pub video: bool,
            /// Spelled so on the wire.
            #[prost(bool, tag = "4")]
            pub scree_share: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct HostMediaControlForPeerResponse {
            /// `success`, or the client throws.
            #[prost(string, tag = "1")]
            pub status: ::prost::alloc::string::String,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct KickAllPeersRequest {
            #[prost(bool, tag = "1")]
            pub propagate_kick_across_rooms: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct KickAllPeersResponse {
            #[prost(string, tag = "1")]
            pub status: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct KickPeerRequest {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct KickPeerResponse {
            #[prost(string, tag = "1")]
            pub status: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct MediaRoomTerminationBroadcastResponse {
            #[prost(string, tag = "1")]
            pub reason: ::prost::alloc::string::String,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct NoActiveSpeakerResponse {}
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerDisplayNameEditBroadcastResponse {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub display_name: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerDisplayNameEditRequest {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub display_name: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerDisplayNameEditResponse {
            /// `success`, or the client throws.
            #[prost(string, tag = "1")]
            pub status: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct PeerJoinBroadcastResponse {
            #[prost(message, optional, tag = "1")]
            pub participant: ::core::option::Option<RoomParticipants>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerJoinCompleteRequest {}
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct PeerJoinCompleteResponse {
            /// Must be present.
            #[prost(message, optional, tag = "1")]
            pub room_state: ::core::option::Option<GetRoomStateResponse>,
            /// The others who completed this step, with their live producers.
            #[prost(message, repeated, tag = "2")]
            pub participants: ::prost::alloc::vec::Vec<RoomParticipants>,
            #[prost(message, optional, tag = "3")]
            pub selected_peers: ::core::option::Option<SelectedPeersResponse>,
            #[prost(int32, tag = "4")]
            pub max_preferred_streams: i32,
        }
        /// Opens the media side, before the user presses join: not yet in the meeting.
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct PeerJoinRequest {
            #[prost(string, optional, tag = "1")]
            pub display_name: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(bool, tag = "2")]
            pub prejoined: bool,
            /// The meeting id.
            #[prost(string, tag = "3")]
            pub room_uuid: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "4")]
            pub meeting_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(bytes = "vec", optional, tag = "5")]
            pub preset: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
            #[prost(string, optional, tag = "6")]
            pub user_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "7")]
            pub organization_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(message, optional, tag = "8")]
            pub location: ::core::option::Option<GeoLocation>,
            #[prost(message, optional, tag = "9")]
            pub capabilities: ::core::option::Option<super::PeerRtpCapabilitites>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerJoinResponse {}
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerLeaveBroadcastResponse {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerLeaveRequest {
            #[prost(bool, tag = "1")]
            pub close_room: bool,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerLeaveResponse {
            #[prost(bool, tag = "1")]
            pub closed: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerPingRequestBroadcastResponse {
            #[prost(string, tag = "1")]
            pub password: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerProducerCloseBroadcastResponse {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub producer_state: ::core::option::Option<super::ProducerState>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerProducerCreateBroadcastResponse {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub producer_state: ::core::option::Option<super::ProducerState>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerProducerToggleBroadcastResponse {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub producer_state: ::core::option::Option<super::ProducerState>,
            /// Who paused it; another peer than the owner when a host did.
            #[prost(string, optional, tag = "3")]
            pub initiator_participant_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct PeerProducingTransportCreateBroadcastResponse {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub transport_details: ::core::option::Option<
                super::CreateTransportResponse,
            >,
            #[prost(message, repeated, tag = "3")]
            pub track_subscriptions: ::prost::alloc::vec::Vec<TrackSubscription>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ProducerCloseRequest {
            #[prost(string, tag = "1")]
            pub producer_id: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub description: ::core::option::Option<super::SessionDescription>,
            #[prost(string, optional, tag = "3")]
            pub producing_transport_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ProducerClosingResponse {
            #[prost(message, optional, tag = "1")]
            pub description: ::core::option::Option<super::SessionDescription>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ProducerCreateRequest {
            /// `audio` or `video`.
            #[prost(string, tag = "1")]
            pub kind: ::prost::alloc::string::String,
            #[prost(bool, tag = "2")]
            pub paused: bool,
            #[prost(bool, tag = "3")]
            pub screen_share: bool,
            #[prost(message, optional, tag = "4")]
            pub description: ::core::option::Option<super::SessionDescription>,
            /// Finds the new section in the offer.
            #[prost(string, tag = "5")]
            pub msid: ::prost::alloc::string::String,
            /// JSON text with the new section's mid, passed on as it is.
            #[prost(string, optional, tag = "6")]
            pub app_data: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "7")]
            pub mime_type: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "8")]
            pub producing_transport_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ProducerCreateResponse {
            #[prost(bool, tag = "1")]
            pub status: bool,
            #[prost(string, tag = "2")]
            pub producer_id: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "4")]
            pub description: ::core::option::Option<super::SessionDescription>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ProducerScoreResponse {
            #[prost(string, tag = "1")]
            pub responseid: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub score: ::core::option::Option<super::NestedScore>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ProducerToggleRequest {
            #[prost(string, tag = "1")]
            pub producer_id: ::prost::alloc::string::String,
            #[prost(bool, tag = "2")]
            pub pause: bool,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ProducerToggleResponse {}
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct RecordingStartedBroadcastResponse {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct RecordingStoppedBroadcastResponse {
            #[prost(string, tag = "1")]
            pub participant_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct RoomParticipants {
            #[prost(string, tag = "1")]
            pub peer_id: ::prost::alloc::string::String,
            #[prost(message, repeated, tag = "2")]
            pub producer_states: ::prost::alloc::vec::Vec<super::ProducerState>,
            #[prost(string, tag = "3")]
            pub display_name: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "4")]
            pub user_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(message, optional, tag = "5")]
            pub capabilities: ::core::option::Option<super::PeerRtpCapabilitites>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SelectedPeersDiffEntry {
            #[prost(string, tag = "1")]
            pub peer_id: ::prost::alloc::string::String,
            /// From 1 up a place among speakers; negative: always shown; 246267631: no longer so; 229490415: off the list.
            #[prost(int32, tag = "2")]
            pub priority: i32,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct SelectedPeersDiffResponse {
            #[prost(message, repeated, tag = "1")]
            pub entries: ::prost::alloc::vec::Vec<SelectedPeersDiffEntry>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SelectedPeersRequest {}
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SelectedPeersResponse {
            /// Peer ids, the latest speaker first.
            #[prost(string, repeated, tag = "1")]
            pub audio_peers: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
            /// Peer ids that are always shown.
            #[prost(string, repeated, tag = "2")]
            pub compulsory_peers: ::prost::alloc::vec::Vec<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct TrackSubscription {
            #[prost(string, tag = "1")]
            pub label: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub webcam: ::core::option::Option<TrackSubscriptionKind>,
            #[prost(message, optional, tag = "3")]
            pub screenshare: ::core::option::Option<TrackSubscriptionKind>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct TrackSubscriptionKind {
            #[prost(bool, tag = "1")]
            pub audio: bool,
            #[prost(bool, tag = "2")]
            pub video: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct UpdateConsumerSimulcastConfigRequest {
            #[prost(string, tag = "1")]
            pub producer_id: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub simulcast: ::core::option::Option<super::Simulcast>,
            #[prost(string, tag = "3")]
            pub producing_transport_id: ::prost::alloc::string::String,
            #[prost(string, tag = "4")]
            pub mid: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct UpdateConsumersSimulcastConfigRequest {
            #[prost(message, repeated, tag = "1")]
            pub requests: ::prost::alloc::vec::Vec<UpdateConsumerSimulcastConfigRequest>,
            #[prost(string, optional, tag = "2")]
            pub consuming_transport_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
        }
    }
}
pub mod message {
    pub mod v1 {
        /// One frame. An answer repeats the event and id of its request; a push may have any id.
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SocketMessage {
            /// Service and method in one number.
            #[prost(uint32, tag = "1")]
            pub event: u32,
            /// Made up by the client for everything it sends.
            #[prost(string, optional, tag = "2")]
            pub id: ::core::option::Option<::prost::alloc::string::String>,
            /// The encoded message of the event; absent or empty when it has no fields.
            #[prost(bytes = "bytes", optional, tag = "3")]
            pub payload: ::core::option::Option<::prost::bytes::Bytes>,
            /// From clients: JSON with a trace id. We send none.
            #[prost(bytes = "bytes", optional, tag = "4")]
            pub metadata: ::core::option::Option<::prost::bytes::Bytes>,
        }
    }
}
pub mod socket {
    pub mod ai {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct MeetingTranscript {
            #[prost(string, tag = "1")]
            pub meeting_id: ::prost::alloc::string::String,
            /// One CSV line: Unix seconds, peer id, user id, custom participant id, name, quoted text.
            #[prost(string, tag = "2")]
            pub transcript: ::prost::alloc::string::String,
            /// True until the next line of the same peer replaces it.
            #[prost(bool, tag = "3")]
            pub is_partial: bool,
        }
    }
    pub mod api {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct BaseSocketHubMessage {
            #[prost(int32, tag = "1")]
            pub event: i32,
            #[prost(string, tag = "2")]
            pub id: ::prost::alloc::string::String,
            #[prost(string, tag = "3")]
            pub peer_id: ::prost::alloc::string::String,
            #[prost(string, tag = "4")]
            pub room_id: ::prost::alloc::string::String,
            #[prost(string, tag = "5")]
            pub user_id: ::prost::alloc::string::String,
            #[prost(bytes = "vec", tag = "6")]
            pub payload: ::prost::alloc::vec::Vec<u8>,
            #[prost(bool, optional, tag = "7")]
            pub error: ::core::option::Option<bool>,
            #[prost(string, optional, tag = "8")]
            pub sid: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ErrorMessage {
            #[prost(int32, optional, tag = "1")]
            pub code: ::core::option::Option<i32>,
            #[prost(string, tag = "2")]
            pub message: ::prost::alloc::string::String,
        }
    }
    pub mod chat {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ChannelMember {
            #[prost(string, tag = "1")]
            pub id: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "2")]
            pub name: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "3")]
            pub picture: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, tag = "4")]
            pub custom_participant_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ChatChannel {
            #[prost(string, tag = "1")]
            pub chat_channel_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub display_name: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "3")]
            pub display_picture_url: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(string, tag = "4")]
            pub visibility: ::prost::alloc::string::String,
            #[prost(bool, tag = "5")]
            pub is_direct_message: bool,
            #[prost(message, optional, tag = "6")]
            pub latest_message_and_unread_count: ::core::option::Option<
                LatestMessageAndUnreadCount,
            >,
            #[prost(string, repeated, tag = "7")]
            pub target_user_ids: ::prost::alloc::vec::Vec<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ChatMessage {
            #[prost(string, tag = "1")]
            pub chat_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub peer_id: ::prost::alloc::string::String,
            #[prost(string, tag = "3")]
            pub user_id: ::prost::alloc::string::String,
            #[prost(string, tag = "4")]
            pub display_name: ::prost::alloc::string::String,
            #[prost(bool, tag = "5")]
            pub pinned: bool,
            #[prost(bool, tag = "6")]
            pub is_edited: bool,
            /// 0 text, 1 image, 2 file, 3 custom.
            #[prost(int32, tag = "7")]
            pub payload_type: i32,
            /// Text; the address of an image; or JSON for files and custom messages.
            #[prost(string, tag = "8")]
            pub payload: ::prost::alloc::string::String,
            /// Of a private message: the participants it is between, the sender among them.
            #[prost(string, repeated, tag = "10")]
            pub target_user_ids: ::prost::alloc::vec::Vec<
                ::prost::alloc::string::String,
            >,
            /// Seconds since 1970.
            #[prost(uint64, tag = "11")]
            pub created_at: u64,
            /// Milliseconds since 1970.
            #[prost(uint64, optional, tag = "12")]
            pub created_at_ms: ::core::option::Option<u64>,
            #[prost(string, optional, tag = "13")]
            pub channel_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "14")]
            pub channel_index: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct CreateChatChannelRequest {
            #[prost(string, tag = "1")]
            pub display_name: ::prost::alloc::string::String,
            #[prost(string, repeated, tag = "2")]
            pub target_user_ids: ::prost::alloc::vec::Vec<
                ::prost::alloc::string::String,
            >,
            #[prost(string, optional, tag = "3")]
            pub display_picture_url: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(string, tag = "4")]
            pub visibility: ::prost::alloc::string::String,
            #[prost(bool, tag = "5")]
            pub is_direct_message: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct CreateChatChannelResponse {
            #[prost(string, tag = "1")]
            pub chat_channel_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DeleteChatMessageRequest {
            #[prost(string, tag = "1")]
            pub chat_id: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "2")]
            pub channel_id: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DeleteChatMessageResponse {
            #[prost(string, tag = "1")]
            pub chat_id: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "2")]
            pub channel_id: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct EditChatMessageRequest {
            #[prost(string, tag = "1")]
            pub chat_id: ::prost::alloc::string::String,
            #[prost(int32, optional, tag = "2")]
            pub payload_type: ::core::option::Option<i32>,
            #[prost(string, optional, tag = "3")]
            pub payload: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(bool, optional, tag = "4")]
            pub pinned: ::core::option::Option<bool>,
            #[prost(string, optional, tag = "5")]
            pub channel_id: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct EditChatMessageResponse {
            #[prost(message, optional, tag = "1")]
            pub message: ::core::option::Option<ChatMessage>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GetChatChannelMembersResponse {
            #[prost(message, repeated, tag = "1")]
            pub channel_members: ::prost::alloc::vec::Vec<ChannelMember>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GetChatChannelRequest {
            #[prost(string, tag = "1")]
            pub chat_channel_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GetChatChannelResponse {
            #[prost(message, repeated, tag = "1")]
            pub chat_channels: ::prost::alloc::vec::Vec<ChatChannel>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GetChatMessagesResponse {
            #[prost(message, repeated, tag = "1")]
            pub messages: ::prost::alloc::vec::Vec<ChatMessage>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GetPaginatedChatMessageFilters {
            #[prost(
                oneof = "get_paginated_chat_message_filters::Filters",
                tags = "1, 2"
            )]
            pub filters: ::core::option::Option<
                get_paginated_chat_message_filters::Filters,
            >,
        }
        /// Nested message and enum types in `GetPaginatedChatMessageFilters`.
        pub mod get_paginated_chat_message_filters {
            #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
            pub enum Filters {
                #[prost(bool, tag = "1")]
                Pinned(bool),
                #[prost(string, tag = "2")]
                UserId(::prost::alloc::string::String),
            }
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GetPaginatedChatMessageRoomRequest {
            /// Milliseconds since 1970.
            #[prost(uint64, tag = "1")]
            pub time_stamp: u64,
            #[prost(int32, tag = "2")]
            pub size: i32,
            #[prost(int32, tag = "3")]
            pub from: i32,
            /// True reads what lies before the time, false what lies after.
            #[prost(bool, tag = "4")]
            pub reversed: bool,
            #[prost(string, optional, tag = "5")]
            pub channel_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(message, optional, tag = "6")]
            pub filters: ::core::option::Option<GetPaginatedChatMessageFilters>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GetPaginatedChatMessageRoomResponse {
            #[prost(message, repeated, tag = "1")]
            pub messages: ::prost::alloc::vec::Vec<ChatMessage>,
            /// Whether there is more.
            #[prost(bool, tag = "2")]
            pub next: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct LatestMessageAndUnreadCount {
            #[prost(message, optional, tag = "1")]
            pub message: ::core::option::Option<ChatMessage>,
            #[prost(uint64, tag = "2")]
            pub unread_count: u64,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct MarkChannelIndexAsReadRequest {
            #[prost(string, tag = "1")]
            pub channel_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub user_id: ::prost::alloc::string::String,
            #[prost(string, tag = "3")]
            pub channel_index: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct MarkChannelIndexAsReadResponse {
            #[prost(string, tag = "1")]
            pub channel_index: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PinChatMessageRequest {
            #[prost(string, tag = "1")]
            pub chat_id: ::prost::alloc::string::String,
            #[prost(bool, tag = "2")]
            pub pinned: bool,
            #[prost(string, optional, tag = "3")]
            pub channel_id: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PinChatMessageResponse {
            #[prost(string, tag = "1")]
            pub chat_id: ::prost::alloc::string::String,
            #[prost(bool, tag = "2")]
            pub pinned: bool,
            #[prost(string, optional, tag = "3")]
            pub channel_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(message, optional, tag = "4")]
            pub message: ::core::option::Option<ChatMessage>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SearchChatMessagesRequest {
            #[prost(uint64, tag = "1")]
            pub time_stamp: u64,
            #[prost(int32, tag = "2")]
            pub size: i32,
            #[prost(int32, tag = "3")]
            pub from: i32,
            #[prost(bool, tag = "4")]
            pub reversed: bool,
            #[prost(string, optional, tag = "5")]
            pub channel_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, tag = "6")]
            pub search_term: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SendChatMessageToChannelRequest {
            #[prost(string, tag = "1")]
            pub channel_id: ::prost::alloc::string::String,
            #[prost(int32, tag = "2")]
            pub payload_type: i32,
            #[prost(string, tag = "3")]
            pub payload: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SendChatMessageToChannelResponse {
            #[prost(message, optional, tag = "1")]
            pub message: ::core::option::Option<ChatMessage>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SendChatMessageToPeersRequest {
            /// The sender is among them.
            #[prost(string, repeated, tag = "1")]
            pub peer_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
            #[prost(int32, tag = "2")]
            pub payload_type: i32,
            #[prost(string, tag = "3")]
            pub payload: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SendChatMessageToPeersResponse {
            #[prost(message, optional, tag = "1")]
            pub message: ::core::option::Option<ChatMessage>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SendChatMessageToRoomRequest {
            #[prost(int32, tag = "1")]
            pub payload_type: i32,
            #[prost(string, tag = "2")]
            pub payload: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct SendChatMessageToRoomResponse {
            #[prost(message, optional, tag = "1")]
            pub message: ::core::option::Option<ChatMessage>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct UpdateChatChannelRequest {
            #[prost(string, tag = "1")]
            pub chat_channel_id: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "2")]
            pub display_name: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, repeated, tag = "3")]
            pub target_user_ids: ::prost::alloc::vec::Vec<
                ::prost::alloc::string::String,
            >,
            #[prost(string, optional, tag = "4")]
            pub display_picture_url: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(string, optional, tag = "5")]
            pub visibility: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(bool, optional, tag = "6")]
            pub is_direct_message: ::core::option::Option<bool>,
        }
    }
    pub mod livestreaming {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DenyStageAccessRequest {
            #[prost(string, repeated, tag = "1")]
            pub user_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GetStagePeersResponse {
            #[prost(string, repeated, tag = "1")]
            pub stage_peers: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GetStageRequestsResponse {
            #[prost(message, repeated, tag = "1")]
            pub stage_requests: ::prost::alloc::vec::Vec<StageRequest>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GrantStageAccessRequest {
            #[prost(string, repeated, tag = "1")]
            pub user_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct LeaveStageRequest {
            /// The sender's own id, or those a host takes off stage.
            #[prost(string, repeated, tag = "1")]
            pub user_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct LiveStreamingEvent {
            #[prost(string, tag = "1")]
            pub livestream_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub err_message: ::prost::alloc::string::String,
            #[prost(string, tag = "3")]
            pub name: ::prost::alloc::string::String,
            #[prost(string, tag = "4")]
            pub meeting_id: ::prost::alloc::string::String,
            /// An HLS playlist.
            #[prost(string, tag = "5")]
            pub playback_url: ::prost::alloc::string::String,
            #[prost(string, tag = "6")]
            pub org_id: ::prost::alloc::string::String,
            #[prost(string, tag = "7")]
            pub room_name: ::prost::alloc::string::String,
            #[prost(string, tag = "8")]
            pub room_uuid: ::prost::alloc::string::String,
            #[prost(string, tag = "9")]
            pub status: ::prost::alloc::string::String,
            #[prost(bool, optional, tag = "10")]
            pub manual_ingest: ::core::option::Option<bool>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct StageRequest {
            #[prost(string, tag = "1")]
            pub display_name: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub user_id: ::prost::alloc::string::String,
            #[prost(string, tag = "3")]
            pub peer_id: ::prost::alloc::string::String,
        }
    }
    pub mod plugin {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct AddPluginRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(bool, tag = "2")]
            pub staggered: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DisablePluginForPeersRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(string, repeated, tag = "2")]
            pub peer_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DisablePluginForRoomRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DisablePluginResponse {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub disabled_by: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct EnablePluginForPeersRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(string, repeated, tag = "2")]
            pub peer_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct EnablePluginForRoomRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct EnablePluginResponse {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub enabled_by: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct EnablePluginsResponse {
            #[prost(message, repeated, tag = "1")]
            pub plugins: ::prost::alloc::vec::Vec<EnablePluginResponse>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PluginEventResponse {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(bytes = "vec", tag = "2")]
            pub plugin_data: ::prost::alloc::vec::Vec<u8>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PluginEventToPeersRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(string, repeated, tag = "2")]
            pub peer_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
            #[prost(bytes = "vec", tag = "3")]
            pub plugin_data: ::prost::alloc::vec::Vec<u8>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PluginEventToRoomRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(bytes = "vec", tag = "2")]
            pub plugin_data: ::prost::alloc::vec::Vec<u8>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct PluginStoreDeleteKeysRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub store_name: ::prost::alloc::string::String,
            #[prost(message, repeated, tag = "3")]
            pub delete_keys: ::prost::alloc::vec::Vec<StoreKeys>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PluginStoreDeleteRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub store_name: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct PluginStoreGetKeysRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub store_name: ::prost::alloc::string::String,
            /// Empty asks for all.
            #[prost(message, repeated, tag = "3")]
            pub get_keys: ::prost::alloc::vec::Vec<StoreKeys>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct PluginStoreInsertKeysRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub store_name: ::prost::alloc::string::String,
            #[prost(message, repeated, tag = "3")]
            pub insert_keys: ::prost::alloc::vec::Vec<StoreKeys>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PluginStoreItem {
            #[prost(string, tag = "1")]
            pub timestamp: ::prost::alloc::string::String,
            /// The author, who ignores its own items.
            #[prost(string, tag = "2")]
            pub peer_id: ::prost::alloc::string::String,
            #[prost(string, tag = "3")]
            pub store_key: ::prost::alloc::string::String,
            /// UTF-8 JSON.
            #[prost(bytes = "vec", tag = "4")]
            pub payload: ::prost::alloc::vec::Vec<u8>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct PluginStoreResponse {
            /// Repeats the request's.
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            /// Repeats the request's.
            #[prost(string, tag = "2")]
            pub store_name: ::prost::alloc::string::String,
            #[prost(message, repeated, tag = "3")]
            pub store_items: ::prost::alloc::vec::Vec<PluginStoreItem>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct RemovePluginRequest {
            #[prost(string, tag = "1")]
            pub plugin_id: ::prost::alloc::string::String,
            #[prost(bool, tag = "2")]
            pub staggered: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct StoreKeys {
            #[prost(string, tag = "1")]
            pub store_key: ::prost::alloc::string::String,
            #[prost(bytes = "vec", optional, tag = "2")]
            pub payload: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
        }
    }
    pub mod polls {
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GetPollsResponse {
            #[prost(message, repeated, tag = "1")]
            pub polls: ::prost::alloc::vec::Vec<Poll>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct NewPollRequest {
            #[prost(string, tag = "1")]
            pub question: ::prost::alloc::string::String,
            #[prost(string, repeated, tag = "2")]
            pub options: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
            #[prost(bool, tag = "3")]
            pub anonymous: bool,
            #[prost(bool, tag = "4")]
            pub hide_votes: bool,
            #[prost(string, optional, tag = "5")]
            pub created_by: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "6")]
            pub created_by_user_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct Poll {
            #[prost(string, tag = "1")]
            pub poll_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub created_by: ::prost::alloc::string::String,
            #[prost(string, tag = "3")]
            pub created_by_user_id: ::prost::alloc::string::String,
            #[prost(string, tag = "4")]
            pub question: ::prost::alloc::string::String,
            #[prost(message, repeated, tag = "5")]
            pub options: ::prost::alloc::vec::Vec<PollOption>,
            #[prost(bool, tag = "6")]
            pub hide_votes: bool,
            #[prost(bool, tag = "7")]
            pub anonymous: bool,
            /// User ids of those who voted.
            #[prost(string, repeated, tag = "8")]
            pub votes: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct PollOption {
            #[prost(string, tag = "1")]
            pub text: ::prost::alloc::string::String,
            #[prost(uint64, optional, tag = "2")]
            pub count: ::core::option::Option<u64>,
            /// Empty when the poll is anonymous.
            #[prost(message, repeated, tag = "3")]
            pub votes: ::prost::alloc::vec::Vec<PollVote>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PollVote {
            #[prost(string, tag = "1")]
            pub user_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub name: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct UpdatePollResponse {
            #[prost(message, optional, tag = "1")]
            pub poll: ::core::option::Option<Poll>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct VotePollRequest {
            #[prost(string, tag = "1")]
            pub poll_id: ::prost::alloc::string::String,
            /// Place of the option, from 0.
            #[prost(uint64, tag = "2")]
            pub index: u64,
        }
    }
    pub mod preset {
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct BulkUpdatePeerPresetRequest {
            #[prost(message, repeated, tag = "1")]
            pub peers: ::prost::alloc::vec::Vec<PeerUserIdMap>,
            #[prost(message, optional, tag = "2")]
            pub patch: ::core::option::Option<PresetUpdates>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct BulkUpdatePeerPresetResponse {
            #[prost(message, optional, tag = "2")]
            pub patch: ::core::option::Option<PresetUpdates>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ChatPermissionUpdate {
            #[prost(message, optional, tag = "1")]
            pub public: ::core::option::Option<PublicChatPermission>,
            #[prost(message, optional, tag = "2")]
            pub private: ::core::option::Option<PrivateChatPermission>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ConnectedMeetingPermissionUpdate {
            #[prost(bool, optional, tag = "1")]
            pub can_alter_connected_meetings: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "2")]
            pub can_switch_to_parent_meeting: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "3")]
            pub can_switch_connected_meetings: ::core::option::Option<bool>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct MediaPermissionUpdate {
            #[prost(message, optional, tag = "1")]
            pub video: ::core::option::Option<StreamPermission>,
            #[prost(message, optional, tag = "2")]
            pub audio: ::core::option::Option<StreamPermission>,
            #[prost(message, optional, tag = "3")]
            pub screenshare: ::core::option::Option<StreamPermission>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerPreset {
            #[prost(string, tag = "1")]
            pub user_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub peer_id: ::prost::alloc::string::String,
            /// UTF-8 JSON of the preset, camelCase inside its permissions.
            #[prost(bytes = "vec", tag = "3")]
            pub preset: ::prost::alloc::vec::Vec<u8>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerUserIdMap {
            #[prost(string, tag = "1")]
            pub peer_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub user_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PluginsPermissionsUpdate {
            #[prost(bool, optional, tag = "1")]
            pub can_close: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "2")]
            pub can_start: ::core::option::Option<bool>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PollsPermissionUpdate {
            #[prost(bool, optional, tag = "1")]
            pub can_create: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "2")]
            pub can_vote: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "3")]
            pub can_view: ::core::option::Option<bool>,
        }
        /// Only the fields that are present change.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PresetUpdates {
            #[prost(message, optional, tag = "1")]
            pub polls: ::core::option::Option<PollsPermissionUpdate>,
            #[prost(message, optional, tag = "2")]
            pub plugins: ::core::option::Option<PluginsPermissionsUpdate>,
            #[prost(message, optional, tag = "3")]
            pub chat: ::core::option::Option<ChatPermissionUpdate>,
            #[prost(bool, optional, tag = "4")]
            pub accept_waiting_requests: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "5")]
            pub can_accept_production_requests: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "6")]
            pub can_edit_display_name: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "7")]
            pub can_record: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "8")]
            pub can_livestream: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "9")]
            pub can_spotlight: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "10")]
            pub disable_participant_audio: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "11")]
            pub disable_participant_screensharing: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "12")]
            pub disable_participant_video: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "13")]
            pub kick_participant: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "14")]
            pub pin_participant: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "15")]
            pub transcription_enabled: ::core::option::Option<bool>,
            #[prost(enumeration = "WaitingRoomType", optional, tag = "16")]
            pub waiting_room_type: ::core::option::Option<i32>,
            #[prost(bool, optional, tag = "17")]
            pub is_recorder: ::core::option::Option<bool>,
            #[prost(enumeration = "super::room::RecorderType", optional, tag = "18")]
            pub recorder_type: ::core::option::Option<i32>,
            #[prost(bool, optional, tag = "19")]
            pub hidden_participant: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "20")]
            pub show_participant_list: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "21")]
            pub can_change_participant_permissions: ::core::option::Option<bool>,
            #[prost(message, optional, tag = "22")]
            pub connected_meetings: ::core::option::Option<
                ConnectedMeetingPermissionUpdate,
            >,
            #[prost(message, optional, tag = "23")]
            pub media: ::core::option::Option<MediaPermissionUpdate>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PrivateChatPermission {
            #[prost(bool, optional, tag = "1")]
            pub can_send: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "2")]
            pub can_receive: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "3")]
            pub text: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "4")]
            pub files: ::core::option::Option<bool>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PublicChatPermission {
            #[prost(bool, optional, tag = "1")]
            pub can_send: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "2")]
            pub text: ::core::option::Option<bool>,
            #[prost(bool, optional, tag = "3")]
            pub files: ::core::option::Option<bool>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ReadPeersPresetRequest {
            #[prost(string, repeated, tag = "1")]
            pub user_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct ReadPeersPresetResponse {
            #[prost(message, repeated, tag = "1")]
            pub peer_presets: ::prost::alloc::vec::Vec<PeerPreset>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct StreamPermission {
            #[prost(enumeration = "StreamPermissionType", optional, tag = "1")]
            pub can_produce: ::core::option::Option<i32>,
            #[prost(enumeration = "StreamPermissionType", optional, tag = "2")]
            pub can_consume: ::core::option::Option<i32>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct UpdatePeerPreset {
            /// One id, despite the name.
            #[prost(string, tag = "1")]
            pub user_ids: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub patch: ::core::option::Option<PresetUpdates>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct UpdatePeersPresetRequest {
            #[prost(message, repeated, tag = "1")]
            pub update_peers_presets: ::prost::alloc::vec::Vec<UpdatePeerPreset>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct UpdatePeersPresetResponse {
            #[prost(message, repeated, tag = "1")]
            pub update_peers_presets: ::prost::alloc::vec::Vec<UpdatePeerPreset>,
        }
        /// NONE counts as allowed.
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            ::prost::Enumeration
        )]
        #[repr(i32)]
        pub enum StreamPermissionType {
            None = 0,
            Allowed = 1,
            NotAllowed = 2,
            CanRequest = 3,
        }
        impl StreamPermissionType {
            /// String value of the enum field names used in the ProtoBuf definition.
            ///
            /// The values are not transformed in any way and thus are considered stable
            /// (if the ProtoBuf definition does not change) and safe for programmatic use.
            pub fn as_str_name(&self) -> &'static str {
                match self {
                    Self::None => "STREAM_PERMISSION_TYPE_NONE",
                    Self::Allowed => "STREAM_PERMISSION_TYPE_ALLOWED",
                    Self::NotAllowed => "STREAM_PERMISSION_TYPE_NOT_ALLOWED",
                    Self::CanRequest => "STREAM_PERMISSION_TYPE_CAN_REQUEST",
                }
            }
            /// Creates an enum from field names used in the ProtoBuf definition.
            pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
                match value {
                    "STREAM_PERMISSION_TYPE_NONE" => Some(Self::None),
                    "STREAM_PERMISSION_TYPE_ALLOWED" => Some(Self::Allowed),
                    "STREAM_PERMISSION_TYPE_NOT_ALLOWED" => Some(Self::NotAllowed),
                    "STREAM_PERMISSION_TYPE_CAN_REQUEST" => Some(Self::CanRequest),
                    _ => None,
                }
            }
        }
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            ::prost::Enumeration
        )]
        #[repr(i32)]
        pub enum WaitingRoomType {
            None = 0,
            Skip = 1,
            OnPrivilegedUserEntry = 2,
            SkipOnAccept = 3,
        }
        impl WaitingRoomType {
            /// String value of the enum field names used in the ProtoBuf definition.
            ///
            /// The values are not transformed in any way and thus are considered stable
            /// (if the ProtoBuf definition does not change) and safe for programmatic use.
            pub fn as_str_name(&self) -> &'static str {
                match self {
                    Self::None => "WAITING_ROOM_TYPE_NONE",
                    Self::Skip => "WAITING_ROOM_TYPE_SKIP",
                    Self::OnPrivilegedUserEntry => {
                        "WAITING_ROOM_TYPE_ON_PRIVILEGED_USER_ENTRY"
                    }
                    Self::SkipOnAccept => "WAITING_ROOM_TYPE_SKIP_ON_ACCEPT",
                }
            }
            /// Creates an enum from field names used in the ProtoBuf definition.
            pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
                match value {
                    "WAITING_ROOM_TYPE_NONE" => Some(Self::None),
                    "WAITING_ROOM_TYPE_SKIP" => Some(Self::Skip),
                    "WAITING_ROOM_TYPE_ON_PRIVILEGED_USER_ENTRY" => {
                        Some(Self::OnPrivilegedUserEntry)
                    }
                    "WAITING_ROOM_TYPE_SKIP_ON_ACCEPT" => Some(Self::SkipOnAccept),
                    _ => None,
                }
            }
        }
    }
    pub mod recording {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct RecordingEvent {
            #[prost(string, tag = "1")]
            pub recording_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub err_message: ::prost::alloc::string::String,
            #[prost(enumeration = "super::super::common::RecordingType", tag = "3")]
            pub recording_type: i32,
        }
    }
    pub mod room {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct AcceptWaitingRoomRequests {
            #[prost(string, repeated, tag = "1")]
            pub user_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ActiveRecording {
            #[prost(string, tag = "1")]
            pub recording_id: ::prost::alloc::string::String,
            #[prost(enumeration = "super::super::common::RecordingType", tag = "2")]
            pub recording_type: i32,
            /// `STARTING`, `RECORDING`, `PAUSED` or `STOPPING`.
            #[prost(string, tag = "3")]
            pub recording_status: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct AddedParticipant {
            #[prost(string, tag = "1")]
            pub id: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "2")]
            pub name: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "3")]
            pub picture: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, tag = "4")]
            pub custom_participant_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct BroadcastMessage {
            #[prost(string, tag = "1")]
            pub r#type: ::prost::alloc::string::String,
            /// UTF-8 JSON.
            #[prost(bytes = "vec", tag = "2")]
            pub payload: ::prost::alloc::vec::Vec<u8>,
            #[prost(uint64, tag = "3")]
            pub timestamp: u64,
            /// Peer ids or meeting ids, by broadcast type; empty for everyone.
            #[prost(string, repeated, tag = "4")]
            pub ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
            #[prost(enumeration = "BroadcastType", optional, tag = "5")]
            pub broadcast_type: ::core::option::Option<i32>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct ConnectedMeetingDump {
            #[prost(string, optional, tag = "1")]
            pub id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "2")]
            pub title: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(message, repeated, tag = "3")]
            pub participants: ::prost::alloc::vec::Vec<ConnectedMeetingPeer>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ConnectedMeetingPeer {
            /// The participant's id, not a peer id.
            #[prost(string, optional, tag = "1")]
            pub id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "2")]
            pub display_name: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "3")]
            pub custom_participant_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(string, optional, tag = "4")]
            pub preset_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "5")]
            pub display_picture_url: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct CreateConnectedRoomsRequest {
            #[prost(message, repeated, tag = "1")]
            pub payloads: ::prost::alloc::vec::Vec<CreateRoomRequestPayload>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct CreateConnectedRoomsResponse {
            #[prost(message, repeated, tag = "1")]
            pub payloads: ::prost::alloc::vec::Vec<CreateRoomResponsePayload>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct CreateRoomRequestPayload {
            #[prost(string, optional, tag = "1")]
            pub title: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct CreateRoomResponsePayload {
            #[prost(string, optional, tag = "1")]
            pub id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "2")]
            pub title: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(message, optional, tag = "3")]
            pub error: ::core::option::Option<ServiceError>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DenyWaitingRoomRequests {
            #[prost(string, repeated, tag = "1")]
            pub user_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DisableConnectedRoomPayload {
            #[prost(string, optional, tag = "1")]
            pub id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "2")]
            pub status: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "3")]
            pub title: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(message, optional, tag = "4")]
            pub error: ::core::option::Option<ServiceError>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct DisableConnectedRoomsRequest {
            #[prost(message, repeated, tag = "1")]
            pub payloads: ::prost::alloc::vec::Vec<DisableRoomPayload>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct DisableConnectedRoomsResponse {
            #[prost(message, repeated, tag = "1")]
            pub payloads: ::prost::alloc::vec::Vec<DisableConnectedRoomPayload>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DisableRoomPayload {
            #[prost(string, optional, tag = "1")]
            pub id: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GetAllAddedParticipantsResponse {
            #[prost(message, repeated, tag = "1")]
            pub participants: ::prost::alloc::vec::Vec<AddedParticipant>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GetConnectedRoomsDumpRequest {}
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GetConnectedRoomsDumpResponse {
            /// Must be present; without breakouts, the meeting itself.
            #[prost(message, optional, tag = "1")]
            pub parent_meeting: ::core::option::Option<ConnectedMeetingDump>,
            #[prost(message, repeated, tag = "2")]
            pub meetings: ::prost::alloc::vec::Vec<ConnectedMeetingDump>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GetPeerInfoRequest {
            #[prost(string, tag = "1")]
            pub peer_id: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct GetRoomStageStateResponse {
            #[prost(string, repeated, tag = "1")]
            pub on_stage_peers: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
            #[prost(string, repeated, tag = "2")]
            pub approved_stage_peers: ::prost::alloc::vec::Vec<
                ::prost::alloc::string::String,
            >,
            #[prost(string, repeated, tag = "3")]
            pub requested_stage_peers: ::prost::alloc::vec::Vec<
                ::prost::alloc::string::String,
            >,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct GetWaitingRoomRequests {
            /// The whole list, not a change of it.
            #[prost(message, repeated, tag = "1")]
            pub requests: ::prost::alloc::vec::Vec<WaitingRoomRequest>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct JoinRoomRequest {
            #[prost(message, optional, tag = "1")]
            pub peer: ::core::option::Option<Peer>,
            /// Empty from the web SDK.
            #[prost(string, tag = "3")]
            pub room_uuid: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "4")]
            pub organization_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(bool, optional, tag = "5")]
            pub use_hive: ::core::option::Option<bool>,
            #[prost(bytes = "vec", optional, tag = "6")]
            pub preset: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
            #[prost(enumeration = "Capabilities", repeated, tag = "7")]
            pub capabilities: ::prost::alloc::vec::Vec<i32>,
            #[prost(uint64, optional, tag = "8")]
            pub timestamp: ::core::option::Option<u64>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct LeaveRoomRequest {
            #[prost(message, optional, tag = "1")]
            pub peer: ::core::option::Option<Peer>,
            #[prost(uint64, optional, tag = "2")]
            pub timestamp: ::core::option::Option<u64>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct MovePeerPayload {
            /// The participant's id, not a peer id.
            #[prost(string, optional, tag = "1")]
            pub id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "2")]
            pub preset_id: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct MovePeersBetweenRoomsRequest {
            #[prost(string, optional, tag = "1")]
            pub source_meeting_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(string, optional, tag = "2")]
            pub destination_meeting_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(message, repeated, tag = "3")]
            pub participants: ::prost::alloc::vec::Vec<MovePeerPayload>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct MovePeersBetweenRoomsResponse {
            #[prost(message, repeated, tag = "1")]
            pub payloads: ::prost::alloc::vec::Vec<MovedPeer>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct MovedPeer {
            #[prost(string, optional, tag = "1")]
            pub meeting_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "2")]
            pub custom_participant_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(message, optional, tag = "3")]
            pub error: ::core::option::Option<ServiceError>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Peer {
            /// Made up by the client for one connection; it stays over reconnects.
            #[prost(string, tag = "1")]
            pub peer_id: ::prost::alloc::string::String,
            /// The participant's id.
            #[prost(string, tag = "2")]
            pub user_id: ::prost::alloc::string::String,
            #[prost(string, tag = "3")]
            pub display_name: ::prost::alloc::string::String,
            #[prost(enumeration = "StageType", optional, tag = "4")]
            pub stage_type: ::core::option::Option<i32>,
            #[prost(string, optional, tag = "5")]
            pub custom_participant_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(string, optional, tag = "6")]
            pub preset_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "7")]
            pub display_picture_url: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            /// In the waiting room.
            #[prost(bool, tag = "8")]
            pub waitlisted: bool,
            #[prost(message, optional, tag = "9")]
            pub flags: ::core::option::Option<PeerFlags>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerFlags {
            #[prost(string, tag = "1")]
            pub preset_name: ::prost::alloc::string::String,
            /// `NONE` for people.
            #[prost(string, tag = "2")]
            pub recorder_type: ::prost::alloc::string::String,
            #[prost(bool, tag = "3")]
            pub hidden_participant: bool,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerInfoResponse {
            #[prost(message, optional, tag = "1")]
            pub peer: ::core::option::Option<Peer>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct PeerStatusUpdate {
            #[prost(string, tag = "1")]
            pub peer_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub user_id: ::prost::alloc::string::String,
            #[prost(enumeration = "StageType", optional, tag = "3")]
            pub stage_type: ::core::option::Option<i32>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct RemoveParticipantsRequest {
            #[prost(string, repeated, tag = "1")]
            pub peer_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct Room {
            /// The meeting id.
            #[prost(string, tag = "1")]
            pub room_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub title: ::prost::alloc::string::String,
            /// Seconds since 1970.
            #[prost(uint64, tag = "4")]
            pub created_at: u64,
            #[prost(message, repeated, tag = "5")]
            pub active_recordings: ::prost::alloc::vec::Vec<ActiveRecording>,
            /// The session id.
            #[prost(string, optional, tag = "6")]
            pub room_uuid: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct RoomInfoResponse {
            #[prost(message, optional, tag = "1")]
            pub room: ::core::option::Option<Room>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct RoomPeerCountResponse {
            #[prost(uint64, tag = "1")]
            pub count: u64,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct RoomPeersInfoRequest {
            /// Spelled so on the wire.
            #[prost(string, tag = "1")]
            pub seach_query: ::prost::alloc::string::String,
            #[prost(int32, tag = "2")]
            pub limit: i32,
            #[prost(int32, tag = "3")]
            pub offset: i32,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct RoomPeersInfoResponse {
            #[prost(message, repeated, tag = "1")]
            pub peers: ::prost::alloc::vec::Vec<Peer>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ServiceError {
            #[prost(string, optional, tag = "1")]
            pub message: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "2")]
            pub code: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct TransferPeer {
            #[prost(string, optional, tag = "1")]
            pub meeting_id: ::core::option::Option<::prost::alloc::string::String>,
            /// A participant token for the other meeting.
            #[prost(string, optional, tag = "2")]
            pub auth_token: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct UpdateConnectedRoomsRequest {
            #[prost(message, repeated, tag = "1")]
            pub payloads: ::prost::alloc::vec::Vec<UpdateRoomRequestPayload>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct UpdatePeerInfoRequest {
            #[prost(string, tag = "1")]
            pub peer_id: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "2")]
            pub display_name: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct UpdateRoomInfoRequest {
            #[prost(message, optional, tag = "1")]
            pub room: ::core::option::Option<Room>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct UpdateRoomRequestPayload {
            #[prost(string, optional, tag = "1")]
            pub meeting_id: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "2")]
            pub title: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct WaitingRoomRequest {
            #[prost(string, tag = "1")]
            pub peer_id: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub user_id: ::prost::alloc::string::String,
            #[prost(string, tag = "3")]
            pub display_name: ::prost::alloc::string::String,
            #[prost(string, optional, tag = "4")]
            pub picture: ::core::option::Option<::prost::alloc::string::String>,
            #[prost(string, optional, tag = "5")]
            pub custom_participant_id: ::core::option::Option<
                ::prost::alloc::string::String,
            >,
            #[prost(string, optional, tag = "6")]
            pub preset_name: ::core::option::Option<::prost::alloc::string::String>,
        }
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            ::prost::Enumeration
        )]
        #[repr(i32)]
        pub enum BroadcastType {
            Peers = 0,
            Rooms = 1,
        }
        impl BroadcastType {
            /// String value of the enum field names used in the ProtoBuf definition.
            ///
            /// The values are not transformed in any way and thus are considered stable
            /// (if the ProtoBuf definition does not change) and safe for programmatic use.
            pub fn as_str_name(&self) -> &'static str {
                match self {
                    Self::Peers => "BROADCAST_TYPE_PEERS",
                    Self::Rooms => "BROADCAST_TYPE_ROOMS",
                }
            }
            /// Creates an enum from field names used in the ProtoBuf definition.
            pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
                match value {
                    "BROADCAST_TYPE_PEERS" => Some(Self::Peers),
                    "BROADCAST_TYPE_ROOMS" => Some(Self::Rooms),
                    _ => None,
                }
            }
        }
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            ::prost::Enumeration
        )]
        #[repr(i32)]
        pub enum Capabilities {
            Hive = 0,
            Chat = 1,
            Ping = 2,
        }
        impl Capabilities {
            /// String value of the enum field names used in the ProtoBuf definition.
            ///
            /// The values are not transformed in any way and thus are considered stable
            /// (if the ProtoBuf definition does not change) and safe for programmatic use.
            pub fn as_str_name(&self) -> &'static str {
                match self {
                    Self::Hive => "CAPABILITIES_HIVE",
                    Self::Chat => "CAPABILITIES_CHAT",
                    Self::Ping => "CAPABILITIES_PING",
                }
            }
            /// Creates an enum from field names used in the ProtoBuf definition.
            pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
                match value {
                    "CAPABILITIES_HIVE" => Some(Self::Hive),
                    "CAPABILITIES_CHAT" => Some(Self::Chat),
                    "CAPABILITIES_PING" => Some(Self::Ping),
                    _ => None,
                }
            }
        }
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            ::prost::Enumeration
        )]
        #[repr(i32)]
        pub enum RecorderType {
            None = 0,
            Recorder = 1,
            Livestreamer = 2,
        }
        impl RecorderType {
            /// String value of the enum field names used in the ProtoBuf definition.
            ///
            /// The values are not transformed in any way and thus are considered stable
            /// (if the ProtoBuf definition does not change) and safe for programmatic use.
            pub fn as_str_name(&self) -> &'static str {
                match self {
                    Self::None => "RECORDER_TYPE_NONE",
                    Self::Recorder => "RECORDER_TYPE_RECORDER",
                    Self::Livestreamer => "RECORDER_TYPE_LIVESTREAMER",
                }
            }
            /// Creates an enum from field names used in the ProtoBuf definition.
            pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
                match value {
                    "RECORDER_TYPE_NONE" => Some(Self::None),
                    "RECORDER_TYPE_RECORDER" => Some(Self::Recorder),
                    "RECORDER_TYPE_LIVESTREAMER" => Some(Self::Livestreamer),
                    _ => None,
                }
            }
        }
        /// Unspecified and off stage keep a client from publishing.
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            ::prost::Enumeration
        )]
        #[repr(i32)]
        pub enum StageType {
            Unspecified = 0,
            OnStage = 1,
            ApprovedStage = 2,
            RequestedStage = 3,
            OffStage = 4,
        }
        impl StageType {
            /// String value of the enum field names used in the ProtoBuf definition.
            ///
            /// The values are not transformed in any way and thus are considered stable
            /// (if the ProtoBuf definition does not change) and safe for programmatic use.
            pub fn as_str_name(&self) -> &'static str {
                match self {
                    Self::Unspecified => "STAGE_TYPE_UNSPECIFIED",
                    Self::OnStage => "STAGE_TYPE_ON_STAGE",
                    Self::ApprovedStage => "STAGE_TYPE_APPROVED_STAGE",
                    Self::RequestedStage => "STAGE_TYPE_REQUESTED_STAGE",
                    Self::OffStage => "STAGE_TYPE_OFF_STAGE",
                }
            }
            /// Creates an enum from field names used in the ProtoBuf definition.
            pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
                match value {
                    "STAGE_TYPE_UNSPECIFIED" => Some(Self::Unspecified),
                    "STAGE_TYPE_ON_STAGE" => Some(Self::OnStage),
                    "STAGE_TYPE_APPROVED_STAGE" => Some(Self::ApprovedStage),
                    "STAGE_TYPE_REQUESTED_STAGE" => Some(Self::RequestedStage),
                    "STAGE_TYPE_OFF_STAGE" => Some(Self::OffStage),
                    _ => None,
                }
            }
        }
    }
}
