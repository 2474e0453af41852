//! A piece of sound that is to be written down, and what was said in it.

use std::path::PathBuf;

/// What is to be written down.
#[derive(Debug, Clone)]
pub struct Sound {
    /// A WAV.
    pub path: PathBuf,
    pub length_ms: i64,
    pub how: How,
}

/// How it is to be written, as the meeting says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct How {
    /// A code such as `en-US`; empty: the engine finds out.
    pub language: String,
    /// Words that may occur.
    pub keywords: Vec<String>,
    pub profanity_filter: bool,
}

/// Something that was said, in milliseconds of the piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub start_ms: i64,
    pub end_ms: i64,
    pub text: String,
}
