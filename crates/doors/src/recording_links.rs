//! Links to the files of recordings: each its own credential, good until the file is deleted.

use std::sync::Arc;

use salon_core::{RecordingId, Timestamp};

use crate::tokens::Tokens;

/// Makes them.
#[derive(Clone)]
pub struct Links {
    pub tokens: Tokens,
    /// Where this server is, such as `https://api.meet.example.org`.
    pub here: Arc<str>,
}

impl Links {
    pub fn to(&self, recording: &RecordingId, name: &str, expires: Option<Timestamp>) -> String {
        let expires = expires.map_or(0, |at| at.0);
        let signature = self.tokens.sign_link(&subject(recording, name, expires));
        format!("{}/files/recordings/{recording}/{name}?expires={expires}&signature={signature}", self.here)
    }
}

/// Whether we made a link to this file.
pub fn verify(tokens: &Tokens, recording: &RecordingId, name: &str, expires: i64, signature: &str) -> bool {
    tokens.verify_link(&subject(recording, name, expires), signature)
}

fn subject(recording: &RecordingId, name: &str, expires: i64) -> String {
    format!("recording\n{recording}\n{name}\n{expires}")
}
