//! The pieces of speech that wait in a robot's folder: which is next, and which are too late to be told at once. Pure but for
//! the listing. Invariant: of one speaker one is written at a time, in order; what waits is bounded, and the oldest goes first.
//! Next: `salon_recorder::voices`, who makes them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A piece that waits longer than this for its turn is told to nobody any more: people speak of something else. In milliseconds.
const LATE_MS: i64 = 30_000;

/// So many pieces of one speaker, and of all, wait to be told; older ones are late.
const WAITING_OF_ONE: usize = 8;
const WAITING: usize = 64;

/// What may wait in a folder, in bytes: some 35 hours of speech. The oldest is lost beyond.
const MAX_BYTES: u64 = 4 << 30;

/// Bytes of a second of sound, and in front of it.
const BYTES_PER_SECOND: u64 = 32_000;
const HEADER: u64 = 44;

/// A piece of speech: a WAV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub path: PathBuf,
    /// When it begins, in milliseconds since 1970.
    pub at_ms: i64,
    pub peer: String,
    pub bytes: u64,
}

impl Piece {
    pub fn length_ms(&self) -> i64 {
        i64::try_from(self.bytes.saturating_sub(HEADER) * 1_000 / BYTES_PER_SECOND).unwrap_or(i64::MAX)
    }

    pub fn end_ms(&self) -> i64 {
        self.at_ms + self.length_ms()
    }
}

/// What is in a folder and the folders in it, oldest first.
///
/// # Errors
/// A folder cannot be read: there may be more.
pub fn list(folder: &Path) -> io::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    for part in 1..=salon_recordings::parts_of(folder) {
        for entry in fs::read_dir(folder.join(part.to_string()))? {
            pieces.extend(piece(&entry?));
        }
    }
    pieces.sort_by(|one, other| (one.at_ms, &one.peer).cmp(&(other.at_ms, &other.peer)));
    Ok(pieces)
}

fn piece(entry: &fs::DirEntry) -> Option<Piece> {
    let name = entry.file_name().into_string().ok()?;
    let (at, peer) = name.strip_suffix(".wav")?.split_once('_')?;
    let about = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    Some(Piece { path: entry.path(), at_ms: at.parse().ok()?, peer: peer.to_owned(), bytes: about.len() })
}

/// What is to be done with pieces that wait, oldest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be written next, and whether everybody is told at once.
    pub next: Option<(Piece, bool)>,
    /// Too late to be told at once; written later.
    pub late: Vec<PathBuf>,
    /// There is no place for these.
    pub lost: Vec<PathBuf>,
}

/// Decides at `now_ms`. `is_told` says of which speakers everybody is told at once; `busy` are those of whom one is being
/// written, `late` what was found to be so before, `resting` what is not to be tried yet.
pub fn plan(
    pieces: &[Piece],
    now_ms: i64,
    is_told: impl Fn(&str) -> bool,
    busy: &HashSet<String>,
    late: &HashSet<PathBuf>,
    resting: &HashSet<PathBuf>,
) -> Plan {
    let mut plan = Plan::default();
    let mut bytes = 0;
    let mut waiting: Vec<&Piece> = Vec::new();
    for piece in pieces.iter().rev() {
        bytes += piece.bytes;
        if bytes > MAX_BYTES && !busy.contains(&piece.peer) {
            plan.lost.push(piece.path.clone());
        } else if is_told(&piece.peer) && !late.contains(&piece.path) {
            let of_one = waiting.iter().filter(|other| other.peer == piece.peer).count();
            let is_late = now_ms - piece.end_ms() > LATE_MS || of_one >= WAITING_OF_ONE || waiting.len() >= WAITING;
            if is_late && !busy.contains(&piece.peer) {
                plan.late.push(piece.path.clone());
            } else {
                waiting.push(piece);
            }
        }
    }
    let is_free = |piece: &&Piece| !busy.contains(&piece.peer) && !resting.contains(&piece.path);
    let told = waiting.iter().rev().copied().find(is_free).map(|piece| (piece.clone(), true));
    plan.next = told.or_else(|| {
        let left = |piece: &&Piece| !plan.lost.contains(&piece.path) && !waiting.contains(piece) && is_free(piece);
        pieces.iter().find(left).map(|piece| (piece.clone(), false))
    });
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_760_000_000_000;

    /// A second of speech that began so many seconds ago.
    fn piece(peer: &str, ago: i64) -> Piece {
        let at_ms = NOW - ago * 1_000;
        Piece { path: format!("{at_ms}_{peer}.wav").into(), at_ms, peer: peer.to_owned(), bytes: HEADER + BYTES_PER_SECOND }
    }

    fn next(plan: &Plan) -> Option<(&str, i64, bool)> {
        plan.next.as_ref().map(|(piece, told)| (piece.peer.as_str(), (NOW - piece.at_ms) / 1_000, *told))
    }

    #[test]
    fn what_is_told_goes_before_what_is_not_and_nobody_overtakes_themselves() {
        let (nobody, none) = (HashSet::new(), HashSet::new());
        let pieces = [piece("later", 500), piece("ada", 9), piece("bo", 8), piece("ada", 7)];
        let told = |peer: &str| peer != "later";
        assert_eq!(next(&plan(&pieces, NOW, told, &nobody, &none, &none)), Some(("ada", 9, true)));
        let busy = HashSet::from(["ada".to_owned()]);
        assert_eq!(next(&plan(&pieces, NOW, told, &busy, &none, &none)), Some(("bo", 8, true)));
        let busy = HashSet::from(["ada".to_owned(), "bo".to_owned()]);
        assert_eq!(next(&plan(&pieces, NOW, told, &busy, &none, &none)), Some(("later", 500, false)));
        let resting = HashSet::from([pieces[0].path.clone()]);
        assert_eq!(next(&plan(&pieces, NOW, told, &busy, &none, &resting)), None);
    }

    #[test]
    fn with_a_slow_engine_the_oldest_are_late_and_written_all_the_same() {
        let (nobody, none) = (HashSet::new(), HashSet::new());
        let mut pieces: Vec<Piece> = (0..12).rev().map(|n| piece("ada", 2 + 2 * n)).collect();
        pieces.insert(0, piece("bo", 40));
        let found = plan(&pieces, NOW, |_| true, &nobody, &none, &none);
        assert_eq!(found.late.len(), 5, "four of Ada's and what is older than half a minute");
        assert_eq!(next(&found), Some(("ada", 16, true)));
        let late: HashSet<PathBuf> = found.late.into_iter().collect();
        let later = plan(&pieces[..5], NOW, |_| true, &nobody, &late, &none);
        assert_eq!((next(&later), later.late.len()), (Some(("bo", 40, false)), 0));
    }

    #[test]
    fn a_folder_holds_so_much_and_the_oldest_is_lost() {
        let (nobody, none) = (HashSet::new(), HashSet::new());
        let mut pieces = [piece("ada", 9), piece("bo", 8), piece("cleo", 7)];
        pieces[1].bytes = MAX_BYTES - 100;
        let found = plan(&pieces, NOW, |_| false, &nobody, &none, &none);
        assert_eq!(found.lost, [pieces[1].path.clone(), pieces[0].path.clone()]);
        assert_eq!(next(&found), Some(("cleo", 7, false)));
    }

    #[test]
    fn a_piece_is_known_by_its_name() {
        let folder = std::env::temp_dir().join(format!("salon-pieces-{}", std::process::id()));
        for (part, name) in [
            ("1", "20_b-1.wav"),
            ("2", "10_a_1.wav"),
            ("2", "30_c.wav.part"),
            ("2", "said.jsonl"),
            ("2", "x_y.wav"),
            ("3x", "1_z.wav"),
        ] {
            fs::create_dir_all(folder.join(part)).expect("a folder");
            fs::write(folder.join(part).join(name), [0; 32_044]).expect("a file");
        }
        let found: Vec<_> = list(&folder)
            .expect("it can be read")
            .into_iter()
            .map(|piece| (piece.at_ms, piece.length_ms(), piece.peer))
            .collect();
        assert_eq!(found, [(10, 1_000, "a_1".to_owned()), (20, 1_000, "b-1".to_owned())]);
        fs::remove_dir_all(&folder).expect("removed");
    }
}
