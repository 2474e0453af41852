//! The name of one life of a node's process.
//! Next: `ownership.rs`, what a run may own.

use crate::engine::{Arg, Column};

/// One life of a node's process: made anew at every start, never reused.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(String);

impl RunId {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&RunId> for Arg {
    fn from(run: &RunId) -> Self {
        run.as_str().into()
    }
}

impl Column for RunId {
    fn read(text: &str) -> Option<Self> {
        Some(Self::new(text))
    }
}
