//! A socket on its way to the next process.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What sockets are packed as.
pub const SOCKET: &str = "websocket";

/// A socket as another process finds it.
#[derive(Serialize, Deserialize)]
pub struct Note {
    pub app: String,
    pub meeting: String,
    pub participant: String,
    pub peer: String,
    pub from: Option<IpAddr>,
    pub let_in_until: Option<i64>,
    pub recording: Option<String>,
    pub joined: bool,
    pub removed: bool,
    pub hangup_in_ms: Option<u64>,
    #[serde(default)]
    pub reached: Option<String>,
}
