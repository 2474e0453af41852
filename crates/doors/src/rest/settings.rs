//! What operators decide about the REST door, each part for those who use it.
//! Next: `rest.rs`, who gets which.

use std::sync::Arc;

use crate::host_names::HostNames;

/// All of it.
#[derive(Clone)]
pub struct Settings {
    pub keep_alive: KeepAlive,
    /// The largest `per_page` of a list. More is answered with this many.
    pub per_page_max: u32,
    /// The largest body of a request.
    pub body_bytes: usize,
    /// Requests of one account in 5 minutes; 0: no limit.
    pub requests_per_5_minutes: u64,
    pub watchers: Watchers,
    /// A few events that clients tell of themselves are kept, to explain with.
    pub client_reports: bool,
    pub files: FileRules,
    pub ice: Ice,
    pub scraping: Scraping,
    pub hosts: HostNames,
    /// The address by which clients reach the API. Empty: the one that each request came to.
    pub public_url: String,
    /// An API token that everybody knows, of a server to try things on.
    pub dev_token: Option<&'static str>,
}

/// How many streams of those who watch there may be.
#[derive(Debug, Clone, Copy)]
pub struct Watchers {
    pub of_node: usize,
    /// Of one meeting, or of one app's list of live sessions.
    pub of_one: usize,
    pub of_account: usize,
    pub of_key: usize,
}

/// How long sessions outlive their last peer, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct KeepAlive {
    pub min_secs: u32,
    pub max_secs: u32,
    /// When the meeting does not say.
    pub default_secs: u32,
}

/// What may be uploaded to the chat.
#[derive(Debug, Clone)]
pub struct FileRules {
    /// The largest file.
    pub file_bytes: u64,
    /// All files of one meeting.
    pub meeting_bytes: u64,
    /// Content types that are taken, such as `image/*`. Empty: any.
    pub types: Vec<String>,
}

/// A STUN or TURN service, told to every client. Holds a password: not for logs.
#[derive(Clone)]
pub struct Ice {
    pub urls: Vec<String>,
    pub login: IceLogin,
}

/// How clients log in there.
#[derive(Clone)]
pub enum IceLogin {
    None,
    /// All alike, for good.
    Fixed {
        username: String,
        credential: String,
    },
    /// Each with a password that is made of this secret and expires.
    Shared(String),
}

/// Who may read the metrics, and where. Holds a token: not for logs.
#[derive(Clone)]
pub struct Scraping {
    /// On the port that is for everything.
    pub here: bool,
    /// What whoever asks must show.
    pub token: Option<String>,
}

/// The largest `per_page` of a list.
#[derive(Debug, Clone, Copy)]
pub struct PerPage(pub u32);

/// The largest body of a request, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct BodyBytes(pub usize);

/// See [`Settings::public_url`].
#[derive(Debug, Clone)]
pub struct PublicUrl(pub Arc<str>);

/// The API key of a server to try things on, by its hash: everybody knows it, and it stays as it is.
#[derive(Debug, Clone, Copy)]
pub struct FixedKey(pub Option<[u8; 32]>);
