//! What a recording wishes of the streams that come: whose they are, pictures that begin anew, and of which size. It says so, the
//! robot and its media thread look. Held for moments only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::news::Key;

#[derive(Clone, Debug, Default)]
pub struct Wishes(Arc<Mutex<Wished>>);

#[derive(Debug, Default)]
struct Wished {
    key_frames: Vec<Key>,
    sizes: BTreeMap<Key, Size>,
    /// Whose tracks are wanted, by participant ids or custom ids; everybody's if there is no list.
    of: Option<Vec<String>>,
}

/// One of the sizes in which cameras are sent at once; the best that is there and no better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    Quarter,
    Half,
    Full,
}

impl Size {
    /// As signaling calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quarter => "q",
            Self::Half => "h",
            Self::Full => "f",
        }
    }
}

impl Wishes {
    fn with<T>(&self, what: impl FnOnce(&mut Wished) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on the tracks of these are wanted.
    pub fn only(&self, of: Option<Vec<String>>) {
        self.with(|wished| wished.of = of);
    }

    /// Whose are wanted.
    pub fn of(&self) -> Option<Vec<String>> {
        self.with(|wished| wished.of.clone())
    }

    /// The pictures of a stream are to begin anew.
    pub fn key_frame(&self, key: Key) {
        self.with(|wished| {
            if !wished.key_frames.contains(&key) {
                wished.key_frames.push(key);
            }
        });
    }

    /// The streams of a connection that are to begin anew, and have not been told so.
    pub fn take_key_frames(&self, connection: u32) -> Vec<u32> {
        self.with(|wished| {
            // Those of earlier connections come no more.
            let taken = wished.key_frames.drain(..).filter(|key| key.connection == connection);
            taken.map(|key| key.ssrc).collect()
        })
    }

    pub fn size(&self, key: Key, size: Size) {
        self.with(|wished| wished.sizes.insert(key, size));
    }

    pub fn size_of(&self, key: Key) -> Option<Size> {
        self.with(|wished| wished.sizes.get(&key).copied())
    }

    pub fn forget(&self, key: Key) {
        self.with(|wished| wished.sizes.remove(&key));
    }
}
