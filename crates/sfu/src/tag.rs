//! Whose a connection is, short enough to be part of what its client says in each connectivity check, and the same in every
//! run: so a run can tell whose connections it refuses that an earlier one had.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// Stands for whoever has a connection. Not two in practice have the same, and nobody can make up another's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tag(u64);

impl Tag {
    /// The tag of whoever is named by these words.
    pub fn of(words: &[&str]) -> Self {
        // The length of each keeps them apart.
        let text: String = words.iter().map(|word| format!("{}:{word}", word.len())).collect();
        let digest = digest(&SHA256, text.as_bytes());
        Self(digest.as_ref().iter().take(8).fold(0, |tag, byte| tag << 8 | u64::from(*byte)))
    }

    /// As it was written.
    pub(crate) fn read(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self).filter(|tag| tag.to_string() == text)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_same_in_every_run_and_no_other() {
        let ada = Tag::of(&["meeting", "ada"]);
        assert_eq!(ada.to_string(), "7455ee6e4470005d");
        assert_eq!(Tag::read(&ada.to_string()), Some(ada));
        assert_ne!(Tag::of(&["meetinga", "da"]), ada);
        for other in ["", "f", "+", "00000000000000000", "ABCDEF0123456789", &format!("+{}", &ada.to_string()[1..])] {
            assert_eq!(Tag::read(other), None, "{other}");
        }
    }
}
