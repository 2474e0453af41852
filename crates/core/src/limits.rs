//! Every bound of a session on one page, each with its reason and what raising or lowering it does.
//! Bounds that operators may change are fields of `Limits`; the rest are constants.
//! Next: `session.rs` enforces them.

/// Longest display name, in characters. Longer names break layouts; the client truncates far earlier.
pub const MAX_NAME_CHARS: usize = 256;

/// Robots in one session at once: recorders and livestreamers, which have no part in the bounds of people.
pub const MAX_ROBOTS: usize = 16;

/// How often one participant may come in or come back in a minute, on all devices, asking again while waiting included.
/// A client on a bad line tries once a second; each time is told to everyone, or to those who decide on the waiting room.
pub const JOINS_PER_MINUTE: usize = 60;

/// One place of so many is kept for people who may admit or remove others, so that a crowd cannot shut them out; and how
/// many places that is at most.
const PLACES_FOR_EACH_HOST_PLACE: usize = 10;
const MAX_HOST_PLACES: usize = 16;

/// Of so many places, how many are kept for people who keep order.
pub fn host_places(of: usize) -> usize {
    (of / PLACES_FOR_EACH_HOST_PLACE).min(MAX_HOST_PLACES)
}

/// The share of a session's record that one participant may fill, as one of so many.
pub const SHARES_OF_THE_RECORD: usize = 10;

/// The part of a full record that is kept for those who come back and for hosts who come in, as one of so many.
pub const RESERVE_OF_THE_RECORD: usize = 20;

/// Questions about the meeting or one person of one participant in a minute. A client asks for each person it meets
/// without knowing them.
pub const LOOKS_PER_MINUTE: usize = 1_200;

/// Lists of those who wait or ask for the stage, for one who decides, in a minute. Changes of them are told anyway.
pub const HOST_LISTINGS_PER_MINUTE: usize = 120;

/// Names one participant may give in a minute. Each is told to everyone and kept.
pub const RENAMES_PER_MINUTE: usize = 10;

/// How often one participant may begin its media in a minute. A client does so on each reconnect; everyone is told.
pub const MEDIA_JOINS_PER_MINUTE: usize = 60;

/// Media connections one participant may open in a minute: two for each time its media begins, and as many to spare.
pub const MEDIA_CONNECTS_PER_MINUTE: usize = 240;

/// Tracks one participant may publish in a minute: four for each of its tabs, each reconnect and each device it tries.
pub const PUBLISHED_PER_MINUTE: usize = 240;

/// How often one participant may switch a track on in a minute. Push-to-talk does so at every word.
pub const RESUMED_PER_MINUTE: usize = 240;

/// Requests of one participant about the tracks of others in a minute. A client sends one for each person who comes into
/// or goes out of its picture.
pub const SUBSCRIBED_PER_MINUTE: usize = 1_200;

/// How often one participant may ask for the stage in a minute, and step on it. Each is told to everyone.
pub const STAGE_REQUESTS_PER_MINUTE: usize = 20;

/// What one host may do to others in a minute, in requests, each of which may name many.
pub const HOST_ACTS_PER_MINUTE: usize = 600;

/// Reads of shared stores of one participant in a minute; an answer may hold all of [`MAX_STORE_BYTES`].
pub const STORE_READS_PER_MINUTE: usize = 300;

/// Pages of the chat of one participant in a minute; an answer may hold [`CHAT_HISTORY_BYTES`].
pub const CHAT_READS_PER_MINUTE: usize = 120;

/// Polls of one participant in a minute, votes, and how often it may ask for all polls.
pub const POLLS_PER_MINUTE: usize = 20;
pub const VOTES_PER_MINUTE: usize = 120;
pub const POLL_READS_PER_MINUTE: usize = 60;

/// Recordings of one session at once. Each is a robot, a process, and at worst most of a core.
pub const MAX_RECORDINGS: usize = 8;

/// How often one participant may have recordings started, paused, resumed and stopped in a minute. Each is told to everyone.
pub const RECORDING_ACTS_PER_MINUTE: usize = 30;

/// How long a recording may take to begin, in milliseconds: after that people are told that it failed. The button of whoever
/// asked waits for one or the other (seen in web SDK 2.0.2).
pub const RECORDING_BEGINS_WITHIN_MS: i64 = 30_000;

/// How long a livestream may take until it can be watched, in milliseconds: it begins as a recording does, and then some seconds
/// of it must be there.
pub const LIVESTREAM_BEGINS_WITHIN_MS: i64 = 60_000;

/// How long one may take to stop before people are told that it has, in milliseconds.
pub const RECORDING_STOPS_WITHIN_MS: i64 = 30_000;

/// Longest reason that people are told of a recording that failed, in characters.
pub const MAX_RECORDING_ERROR_CHARS: usize = 300;

/// Longest `app_data` of a track, in bytes. The SDK sends about 60 (web SDK 2.0.2); it is passed on to everyone.
pub const MAX_APP_DATA_BYTES: usize = 4096;

/// Longest mime type or transport id of a track, in bytes. `video/rtx` and UUIDs are far shorter; both are passed on.
pub const MAX_TRACK_LABEL_BYTES: usize = 128;

/// How long tracks of before a connection broke stay when their owner is back, unless it publishes them anew, in
/// milliseconds: its client does within half a second. More shows a frozen picture of somebody who does not, less a gap.
pub const LEFTOVER_MS: i64 = 3_000;

/// Longest broadcast payload, in bytes. Each is copied to every peer of the meeting.
pub const MAX_BROADCAST_BYTES: usize = 16 * 1024;

/// Longest broadcast type, in bytes.
pub const MAX_BROADCAST_TYPE_BYTES: usize = 256;

/// Addressees one broadcast may name, each of at most [`crate::ids::MAX_ID_LEN`] bytes. The list is passed on to all of
/// them, so the work grows with its square.
pub const MAX_BROADCAST_IDS: usize = 500;

/// Broadcast messages of one participant in one second (product limit "5 per second").
pub const BROADCASTS_PER_SECOND: usize = 5;

/// Longest text of the chat, in characters. The web SDK refuses longer ones itself (2.0.2).
pub const MAX_CHAT_TEXT_CHARS: usize = 2_000;

/// Longest other payload of the chat, in bytes: the address of an image, the JSON about a file, an application's own.
pub const MAX_CHAT_PAYLOAD_BYTES: usize = 16 * 1024;

/// Texts and custom messages of one participant in a minute (product limit); edits, pins and deletions count as well.
pub const CHAT_TEXTS_PER_MINUTE: usize = 180;

/// Images and files of one participant in a minute (product limit).
pub const CHAT_FILES_PER_MINUTE: usize = 20;

/// Uploads for the chat of one participant in a minute: as many as there may be messages about them (product limit).
pub const UPLOADS_PER_MINUTE: usize = 20;

/// Peers a private message may name.
pub const MAX_CHAT_ADDRESSEES: usize = 500;

/// Messages, edits and pins in one session. All of them are held in memory while it lives and read when it is recovered;
/// after that people are refused.
pub const MAX_CHAT_ENTRIES: usize = 20_000;

/// What may be written in one session altogether, in bytes; see [`MAX_CHAT_ENTRIES`].
pub const MAX_CHAT_BYTES: usize = 32 * 1024 * 1024;

/// Messages in one answer (product limit); who wants older ones asks for pages.
pub const CHAT_HISTORY: usize = 1_000;

/// Payloads in one answer, in bytes.
pub const CHAT_HISTORY_BYTES: usize = 4 * 1024 * 1024;

/// Longest question and option of a poll, in characters. Every vote tells them to everyone anew.
pub const MAX_POLL_QUESTION_CHARS: usize = 1_024;
pub const MAX_POLL_OPTION_CHARS: usize = 256;

/// Options of a poll.
pub const MAX_POLL_OPTIONS: usize = 32;

/// Polls in one session: a client that joins gets them all at once.
pub const MAX_POLLS: usize = 100;

/// Longest name of a shared store and of a key, in bytes.
pub const MAX_STORE_NAME_BYTES: usize = 128;
pub const MAX_STORE_KEY_BYTES: usize = 256;

/// Longest value of a shared store, in bytes. Each write is passed on to everyone.
pub const MAX_STORE_VALUE_BYTES: usize = 16 * 1024;

/// Keys one write may name.
pub const MAX_STORE_WRITE_KEYS: usize = 64;

/// Keys of one store, stores of one session, and what they may hold together, in bytes. All of it is in memory.
pub const MAX_STORE_KEYS: usize = 1_000;
pub const MAX_STORES: usize = 64;
pub const MAX_STORE_BYTES: usize = 4 * 1024 * 1024;

/// Store writes of one peer in any second.
///
/// The product's limit is 5 of each kind (set, set many, delete, delete many), and the client keeps it itself, counting by
/// whole seconds (read in web SDK 2.0.2): two full ones may come back to back. It waits for no answer, so a refusal here
/// would lose what its user takes for written; this limit is only for clients that do not keep theirs.
pub const STORE_WRITES_PER_SECOND: usize = 4 * 2 * 5;

/// How often one participant may ask for the list of those who are here in one minute (product limit "list joined
/// peers"); the list that a client fetches as it joins or comes back is not counted. It is as long as there are people.
pub const LISTINGS_PER_MINUTE: usize = 10;

/// People whose permissions one participant may change in one minute (product limit).
pub const PERMISSION_CHANGES_PER_MINUTE: usize = 1_000;

/// People whose permissions one participant may read in one minute. Each is a look into the store.
pub const PERMISSION_READS_PER_MINUTE: usize = 1_000;

/// People one request may be about.
pub const MAX_PERMISSION_TARGETS: usize = 1_000;

/// Speakers who are kept in order. Clients show at most 24 people and hear 4 more (web SDK 2.0.2).
pub const MAX_SPEAKERS: usize = 28;

/// Connected meetings of one meeting at once. Every change of who is in one is told to everyone in all of them.
pub const MAX_CONNECTED_MEETINGS: usize = 100;

/// Longest title of a connected meeting, in characters: as long as that of any meeting.
pub const MAX_CONNECTED_TITLE_CHARS: usize = 512;

/// People one request may move. Each costs a row and a signature.
pub const MAX_MOVED: usize = 500;

/// How often one connection may ask for the connected meetings in a minute (product limit).
pub const CONNECTED_LISTS_PER_MINUTE: usize = 60;

/// How often one connection may make, delete or move in a minute. The UI kit sends one request for each pair of meetings
/// that people are moved between, and on closing all of them twice over (seen in UI kit 2.0.2).
pub const CONNECTED_CHANGES_PER_MINUTE: usize = 600;

/// How long those in a deleted meeting have to follow where they are sent, in milliseconds.
pub const LEAVE_DELETED_WITHIN_MS: i64 = 30_000;

/// How long somebody who was sent elsewhere is taken to be on the way, in milliseconds. A client leaves at once.
pub const ON_THE_WAY_MS: i64 = 15_000;

/// What an operator may change about sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long a peer whose connection broke may come back as the same peer, in milliseconds. Longer keeps
    /// ghosts in the picture, shorter makes people fall out of calls on bad lines.
    pub grace_ms: i64,
    /// People's peers in one session at once, waiting ones and those within their grace included. Each costs every other
    /// a push on joining.
    pub max_peers: usize,
    /// People who may ever come into one session. All of them are held in memory. It bounds the people admitted from the
    /// waiting room as well.
    pub max_peers_ever: usize,
    /// Peers of one participant at once, waiting ones and those within their grace included: tabs and devices.
    pub max_tabs: usize,
    /// How often one participant may come into one session, without the times it came back as the same peer within the
    /// grace. Each is kept in memory.
    pub max_entries: usize,
    /// Events in the record of one session. It is read whole when the session is recovered: a million take seconds. When
    /// it is full people may still come back, fall silent, leave, be removed, and the session ended.
    pub max_events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { grace_ms: 25_000, max_peers: 2_000, max_peers_ever: 50_000, max_tabs: 16, max_entries: 500, max_events: 2_000_000 }
    }
}

/// How long a dead connection may go unnoticed: what was told in that time before it broke, its client may not have heard.
pub const UNNOTICED_MS: i64 = 20_000;

/// Keys deleted from shared stores that are remembered for those whose connection is broken. Of more the oldest are forgotten.
pub const MAX_DELETED_KEYS_KEPT: usize = 2_000;
