//! Uploads under way: how many each may have, and which makes room. Pure, but for the lock.
//! Invariant: of one file there is one upload, the latest: whoever sends it again has given the one before up.
//! Next: `objects.rs`, which receives them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use salon_core::{FileId, MeetingId, ParticipantId};
use tokio_util::sync::CancellationToken;

/// Uploads of one participant at once. Clients send a few pictures side by side.
const OF_A_PARTICIPANT: usize = 4;

/// Of all that are received at once, the share that one meeting may have, as one of so many.
const SHARE_OF_A_MEETING: usize = 4;

/// What must arrive of an upload in any so long a time, in which the sender is waited for: 32 kbit/s. Less lets senders that
/// trickle hold their places; more cuts off those on the worst of lines.
pub const LEAST_BYTES: u64 = 40 * 1024;
pub const LEAST_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no place for an upload: all are taken that there are for these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// So many a participant may have.
    Participant(usize),
    Meeting(usize),
    All,
}

/// The uploads that a node receives.
#[derive(Debug)]
pub(crate) struct Uploads {
    most: usize,
    here: Mutex<HashMap<FileId, Upload>>,
}

#[derive(Debug)]
struct Upload {
    participant: ParticipantId,
    meeting: MeetingId,
    replaced: CancellationToken,
}

impl Uploads {
    pub fn new(most: usize) -> Self {
        Self { most, here: Mutex::default() }
    }

    pub fn enter(
        self: &Arc<Self>,
        file: &FileId,
        participant: &ParticipantId,
        meeting: &MeetingId,
    ) -> Result<UploadPlace, Crowded> {
        let mut here = self.here();
        let others = || here.iter().filter(|(of, _)| *of != file).map(|(_, upload)| upload);
        let of_meeting = (self.most / SHARE_OF_A_MEETING).max(1);
        if others().filter(|upload| upload.participant == *participant).count() >= OF_A_PARTICIPANT {
            return Err(Crowded::Participant(OF_A_PARTICIPANT));
        }
        if others().filter(|upload| upload.meeting == *meeting).count() >= of_meeting {
            return Err(Crowded::Meeting(of_meeting));
        }
        if others().count() >= self.most {
            return Err(Crowded::All);
        }
        let replaced = CancellationToken::new();
        let upload = Upload { participant: participant.clone(), meeting: meeting.clone(), replaced: replaced.clone() };
        if let Some(before) = here.insert(file.clone(), upload) {
            before.replaced.cancel();
        }
        Ok(UploadPlace { uploads: self.clone(), file: file.clone(), replaced })
    }

    fn here(&self) -> MutexGuard<'_, HashMap<FileId, Upload>> {
        self.here.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A place among the uploads, until it is dropped or another upload of the same file has it.
#[derive(Debug)]
pub struct UploadPlace {
    uploads: Arc<Uploads>,
    file: FileId,
    pub(crate) replaced: CancellationToken,
}

impl Drop for UploadPlace {
    fn drop(&mut self) {
        if !self.replaced.is_cancelled() {
            self.uploads.here().remove(&self.file);
        }
    }
}

/// How fast an upload comes.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waited: Duration,
    arrived: u64,
}

impl Pace {
    /// How long the next bytes may be waited for.
    pub fn patience(&self) -> Duration {
        LEAST_WITHIN.saturating_sub(self.waited)
    }

    /// So many bytes came after so long a wait. False if that is too slow.
    pub fn keeps_up(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.arrived += bytes as u64;
        if self.waited < LEAST_WITHIN {
            return true;
        }
        let enough = self.arrived >= LEAST_BYTES;
        *self = Self::default();
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(uploads: &Arc<Uploads>, file: &str, participant: &str, meeting: &str) -> Result<UploadPlace, Crowded> {
        let (participant, meeting) = (ParticipantId::parse(participant).unwrap(), MeetingId::parse(meeting).unwrap());
        uploads.enter(&FileId::parse(file).unwrap(), &participant, &meeting)
    }

    #[test]
    fn a_file_has_one_upload_the_latest() {
        let uploads = Arc::new(Uploads::new(2));
        let first = enter(&uploads, "f", "ana", "m").unwrap();
        for _ in 0..32 {
            drop(enter(&uploads, "f", "ana", "m").unwrap());
        }
        let last = enter(&uploads, "f", "ana", "m").unwrap();
        assert!(first.replaced.is_cancelled() && !last.replaced.is_cancelled());
        drop(first);
        assert!(enter(&uploads, "g", "bo", "m").is_err(), "the latest keeps its place");
        drop(last);
        assert!(enter(&uploads, "g", "bo", "m").is_ok());
    }

    #[test]
    fn a_participant_and_a_meeting_have_their_parts() {
        let uploads = Arc::new(Uploads::new(24));
        let refused = |entered: Result<UploadPlace, Crowded>| entered.map(drop).unwrap_err();
        let mut places: Vec<_> = (0..4).map(|n| enter(&uploads, &format!("a{n}"), "ana", "m").unwrap()).collect();
        assert_eq!(refused(enter(&uploads, "a4", "ana", "m")), Crowded::Participant(4));
        places.extend((0..2).map(|n| enter(&uploads, &format!("b{n}"), "bo", "m").unwrap()));
        assert_eq!(refused(enter(&uploads, "b2", "bo", "m")), Crowded::Meeting(6));
        for n in 0..18 {
            places.push(enter(&uploads, &format!("c{n}"), &format!("p{n}"), &format!("m{}", n / 6)).unwrap());
        }
        assert_eq!(refused(enter(&uploads, "d", "dee", "n")), Crowded::All);
        places.pop();
        assert!(enter(&uploads, "d", "dee", "n").is_ok());
    }

    #[test]
    fn who_trickles_is_too_slow_and_who_is_slow_is_not() {
        let lasts = |wait_ms: u64, bytes: usize| {
            let mut pace = Pace::default();
            (0..1_000).take_while(|_| pace.keeps_up(Duration::from_millis(wait_ms).min(pace.patience()), bytes)).count()
        };
        assert_eq!(lasts(15_000, 1), 0, "a byte each 15 s");
        assert!(lasts(100, 40) < 100);
        assert_eq!(lasts(300, 1_300), 1_000, "a slow line");
        assert_eq!(lasts(9_000, 60_000), 1_000, "a line with holes");
        assert_eq!(lasts(0, 1), 1_000, "what we were slow with counts for nobody");
    }
}
