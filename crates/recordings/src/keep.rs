//! The files of a recording that is over: found in its folder, and put where they belong.
//! Invariant: the folder is cleared only when its files are stored, or the row says that they are lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use salon_core::event::RecordingKind;
use salon_core::notice::RecordingStatus;
use salon_core::{RecordingId, Timestamp};
use salon_files::{Bucket, NotPut, put_elsewhere};
use salon_recorder::job::{FileKind, ORDERS, SAID, Saying};
use salon_store::{DAY_MS, Recording, RecordingFile, RecordingFileKind};
use serde::Deserialize;

use crate::desk::Parts;
use crate::process::LOG;
use crate::reasons;
use crate::stranded::is_given_up;

/// Pauses between tries to store, in seconds; the last one again and again.
const AGAIN_SECS: [u64; 7] = [1, 5, 20, 60, 120, 300, 600];

/// How often storage of others is tried where the files are with us as well: whoever waits for those waits no longer.
const TRIES_BESIDE: usize = 5;

/// What is told of files as long as they are not where they belong.
const NOT_YET: &str = "not stored yet";
const NOT_YET_HERE: &str = "not stored yet: the storage of this server does not take it, and is tried again";
const NOT_YET_THERE: &str = "not stored yet: the storage that was given does not take it, and is tried again";

/// What recorders' files end in, and what such a file is, in a recording of tracks and in others.
const ENDINGS: [(&str, RecordingFileKind); 4] = [
    ("webm", RecordingFileKind::Video),
    ("mp4", RecordingFileKind::Video),
    ("m4a", RecordingFileKind::Audio),
    ("mp3", RecordingFileKind::Audio),
];

/// In the folder of somebody who streams to us: which key they were let in with, as its SHA-256. It may be another by the time
/// that anybody looks again.
const LET_IN_WITH: &str = "let-in-with";

fn digest(key: Option<&str>) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.unwrap_or_default().as_bytes()))
}

/// Notes with which key somebody is let in.
pub fn note_key(folder: &Path, key: Option<&str>) -> std::io::Result<()> {
    std::fs::write(folder.join(LET_IN_WITH), digest(key))
}

/// Whether it was this key. Of those whom an earlier version let in nobody knows.
pub fn was_let_in_with(folder: &Path, key: Option<&str>) -> bool {
    std::fs::read_to_string(folder.join(LET_IN_WITH)).is_ok_and(|noted| noted == digest(key))
}

/// Storage of the caller's own, of the S3 kind.
#[derive(Deserialize)]
struct Own {
    name: String,
    endpoint: String,
    region: String,
    access_key: String,
    secret_key: String,
    /// A folder in it.
    path: String,
}

/// Where the files of a recording lie in Salon's own storage.
pub fn folder_of(id: &RecordingId) -> String {
    format!("recordings/{id}")
}

/// A file in a job's folder, as it is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    pub file: RecordingFile,
}

/// What came of storing.
pub struct Kept {
    files: Vec<RecordingFile>,
    is_kept: bool,
    expires_at: Option<Timestamp>,
    error: Option<String>,
    recorded_ms: Option<u64>,
}

impl Kept {
    pub fn note(&self, recording: &mut Recording) {
        recording.leave_out(self.recorded_ms);
        let lost = self.error.is_some() && !self.is_kept;
        recording.status = if lost { RecordingStatus::Errored } else { RecordingStatus::Uploaded };
        recording.files.clone_from(&self.files);
        (recording.is_kept, recording.expires_at, recording.storage) = (self.is_kept, self.expires_at, None);
        let parts = self.files.iter().filter(|file| file.kind == RecordingFileKind::Video).count();
        let apart = (parts > 1 && recording.kind == RecordingKind::Composite)
            .then(|| format!("its {parts} parts could not be joined: the link is to the first, and all are stored"));
        reasons::end(&mut recording.error, NOT_YET);
        self.error.iter().chain(&apart).for_each(|why| reasons::add(&mut recording.error, why));
    }
}

/// How many parts a job's folder has.
pub fn parts_of(folder: &Path) -> u32 {
    (1..).take_while(|part| folder.join(part.to_string()).is_dir()).last().unwrap_or(0)
}

/// The files in a job's folder, those that its recorders have told of, and of a recorder that died, what is there.
pub fn collect(folder: &Path) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for part in 1..=parts_of(folder) {
        let folder = folder.join(part.to_string());
        for (name, kind) in told(&folder).unwrap_or_else(|| there(&folder)) {
            let path = folder.join(&name);
            // A link would lead out of the folder.
            let Ok(about) = path.symlink_metadata() else { continue };
            if !about.is_file() || about.len() == 0 || !is_plain(&name) {
                continue;
            }
            let known = |name: &str| all.iter().any(|found| found.file.name == name);
            let name = if known(&name) { numbered(&name, part) } else { name };
            all.push(Found { path, file: RecordingFile { name, bytes: about.len(), kind } });
        }
    }
    all
}

fn told(folder: &Path) -> Option<Vec<(String, RecordingFileKind)>> {
    let said = std::fs::read_to_string(folder.join(SAID)).ok()?;
    let last = said.lines().rev().find_map(|line| match serde_json::from_str(line).ok()? {
        Saying::Finished { files, .. } => Some(files),
        _ => None,
    })?;
    let kind = |kind| match kind {
        FileKind::Video => RecordingFileKind::Video,
        FileKind::Audio => RecordingFileKind::Audio,
        FileKind::Track => RecordingFileKind::Track,
    };
    Some(last.into_iter().map(|file| (file.name, kind(file.kind))).collect())
}

/// How much a job's recorders recorded, in milliseconds, as they said last.
pub fn recorded_ms(folder: &Path) -> Option<u64> {
    let of_part = |part: u32| {
        let said = std::fs::read_to_string(folder.join(part.to_string()).join(SAID)).ok()?;
        said.lines().rev().find_map(|line| match serde_json::from_str(line).ok()? {
            Saying::Finished { duration_ms: ms, .. } | Saying::Progress { ms, .. } => Some(ms),
            _ => None,
        })
    };
    (1..=parts_of(folder)).filter_map(of_part).reduce(|all, ms| all + ms)
}

fn there(folder: &Path) -> Vec<(String, RecordingFileKind)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let kind = |name: &str| {
        let ending = name.rsplit_once('.')?.1;
        let (_, kind) = ENDINGS.iter().find(|(known, _)| *known == ending)?;
        // As tracks are named: whose, from where, what of it, when.
        let is_track = name.ends_with(".webm") && name.split('_').any(|word| word == "audio");
        Some(if is_track { RecordingFileKind::Track } else { *kind })
    };
    names.into_iter().filter_map(|name| kind(&name).map(|kind| (name, kind))).collect()
}

/// What was made in a recorder's folder, in bytes: not what it says, nor what it is told.
pub fn bytes_made(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let made = files.filter(|file| [SAID, ORDERS, LOG].iter().all(|talk| file.file_name() != *talk));
    made.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Whether a name is one of a file and nothing else.
fn is_plain(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    !name.starts_with('.') && name.len() <= 255 && name.chars().all(plain)
}

fn numbered(name: &str, part: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}_part{part}.{ending}"),
        None => format!("{name}_part{part}"),
    }
}

/// Puts the files where they belong, and tells in the row as long as that cannot be done.
pub async fn keep(parts: &Parts, recording: &Recording, folder: &Path) -> Kept {
    let (place, ffmpeg) = (folder.to_path_buf(), parts.settings.ffmpeg.clone());
    let is_whole = recording.kind == RecordingKind::Composite;
    let found = tokio::task::spawn_blocking(move || {
        let found = collect(&place);
        let found = if is_whole { whole(found, &place, ffmpeg.as_deref()) } else { found };
        (found, recorded_ms(&place))
    });
    let (mut found, recorded_ms) = found.await.unwrap_or_default();
    let none = Kept { files: Vec::new(), is_kept: false, expires_at: None, error: None, recorded_ms };
    if found.is_empty() && recording.is_only_streamed() {
        return none;
    }
    let own: Option<Own> = match recording.storage.clone().map(serde_json::from_value).transpose() {
        Ok(own) => own,
        Err(_) => return Kept { error: Some("its storage cannot be read".to_owned()), ..none },
    };
    let is_kept = recording.config["bucket"].as_bool().unwrap_or(true);
    let (there, mut error) = (found.len(), None);
    if is_kept {
        keep_here(parts, recording, &mut found).await;
    }
    if let Some(own) = own
        && let Err(cause) = keep_there(parts, recording, (&own, is_kept), &found).await
    {
        tracing::warn!(recording.id = %recording.id, error = %format_args!("{cause:#}"), "a recording cannot be stored where its owner wants it");
        error = Some("it could not be stored in the storage that was given".to_owned());
    }
    if found.is_empty() {
        return Kept { error: Some("the files are gone from the server's disk".to_owned()), ..none };
    }
    if found.len() < there {
        error = Some(format!("{} of its {there} files are gone from the server's disk", there - found.len()));
    }
    let keep_ms = i64::from(parts.settings.keep_days) * DAY_MS;
    let expires_at = is_kept.then(|| Timestamp((parts.clock.now().0 + keep_ms) / 1_000 * 1_000));
    let files = found.into_iter().map(|found| found.file).collect();
    Kept { files, is_kept, expires_at, error, recorded_ms }
}

/// What recorders that died one after the other left, as one file of each kind: pictures are copied, and sound encoded once more,
/// because copied it would move at each joint. Parts that cannot be joined stay parts.
fn whole(found: Vec<Found>, folder: &Path, ffmpeg: Option<&Path>) -> Vec<Found> {
    let mut all = Vec::new();
    for kind in [RecordingFileKind::Video, RecordingFileKind::Audio] {
        let parts: Vec<Found> = found.iter().filter(|found| found.file.kind == kind).cloned().collect();
        let joined = ffmpeg.filter(|_| parts.len() > 1).and_then(|ffmpeg| join(&parts, folder, ffmpeg));
        all.extend(joined.map_or(parts, |joined| vec![joined]));
    }
    all
}

fn join(parts: &[Found], folder: &Path, ffmpeg: &Path) -> Option<Found> {
    let first = parts.first()?;
    let ending = first.path.extension()?.to_str()?;
    let (list, made) = (folder.join("parts.txt"), folder.join(format!("whole.{ending}")));
    // Names of our own making, in folders of our own: no sign in them ends a quotation.
    let lines: String = parts.iter().map(|part| format!("file '{}'\n", part.path.display())).collect();
    std::fs::write(&list, lines).ok()?;
    let sound = match ending {
        "webm" => "libvorbis",
        "mp3" => "libmp3lame",
        _ => "aac",
    };
    let mut command = std::process::Command::new(ffmpeg);
    command.args([
        "-hide_banner",
        "-nostdin",
        "-loglevel",
        "error",
        "-y",
        "-protocol_whitelist",
        "file",
        "-f",
        "concat",
        "-safe",
        "0",
        "-i",
    ]);
    command.arg(&list).args(["-c:v", "copy", "-c:a", sound]).arg(&made).env_clear();
    let ran = command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).status();
    match ran {
        Ok(status) if status.success() => {
            let bytes = made.metadata().ok()?.len();
            Some(Found { path: made, file: RecordingFile { bytes, ..first.file.clone() } })
        }
        outcome => {
            tracing::warn!(?outcome, "the parts of a recording cannot be joined, and stay parts");
            None
        }
    }
}

/// However long it takes: it is the server's own storage, and will be back. What is gone from the disk is left out.
async fn keep_here(parts: &Parts, recording: &Recording, found: &mut Vec<Found>) {
    for Found { path, file } in std::mem::take(found) {
        let object = format!("{}/{}", folder_of(&recording.id), file.name);
        let mut tries = 0;
        let is_stored = loop {
            let error = match parts.files.put(&object, &path).await {
                Ok(_) => break true,
                Err(NotPut::Unread(error)) if error.kind() == std::io::ErrorKind::NotFound || tries >= AGAIN_SECS.len() => {
                    tracing::error!(recording.id = %recording.id, file.name, %error, "a file of a recording is lost");
                    break false;
                }
                Err(error) => error,
            };
            tracing::warn!(recording.id = %recording.id, %error, "a recording cannot be stored yet");
            waits(parts, recording, NOT_YET_HERE, &mut tries).await;
        };
        if is_stored {
            found.push(Found { path, file });
        }
    }
}

/// Tells that it cannot be stored yet, and pauses.
async fn waits(parts: &Parts, recording: &Recording, why: &str, tries: &mut usize) {
    if *tries == 0 {
        let note = |row: &mut Recording| {
            if row.node == recording.node && row.is_unfinished() {
                reasons::add(&mut row.error, why);
            }
        };
        // It stands in the log in any case.
        let _ = parts.store.edit_recording(&recording.id, parts.clock.now(), note).await;
    }
    tokio::time::sleep(Duration::from_secs(AGAIN_SECS[(*tries).min(AGAIN_SECS.len() - 1)])).await;
    *tries += 1;
}

/// Where nobody else has the files, as long as a node would be waited for that has them.
async fn keep_there(parts: &Parts, recording: &Recording, (own, is_beside): (&Own, bool), found: &[Found]) -> anyhow::Result<()> {
    let bucket = Bucket {
        name: own.name.clone(),
        endpoint: own.endpoint.clone(),
        region: own.region.clone(),
        access_key: own.access_key.clone(),
        secret_key: own.secret_key.clone(),
    };
    let since = recording.stopped_at.unwrap_or(recording.invoked_at);
    for Found { path, file } in found {
        let object = format!("{}/{}", own.path.trim_matches('/'), file.name);
        let mut tries = 0;
        while let Err(error) = put_elsewhere(&bucket, object.trim_start_matches('/'), path).await {
            let is_last = if is_beside { tries + 1 == TRIES_BESIDE } else { is_given_up(parts.clock.now(), since) };
            if is_last || !path.exists() {
                return Err(error);
            }
            tracing::info!(recording.id = %recording.id, "storage of its own does not take a recording yet");
            waits(parts, recording, NOT_YET_THERE, &mut tries).await;
        }
    }
    Ok(())
}

/// Deletes a job's folder.
pub async fn clear(folder: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(folder).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the folder of a recording cannot be deleted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_recorder_left_counts_and_nothing_leads_out_of_its_folder() {
        let folder = std::env::temp_dir().join(format!("salon-keep-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let put = |part: &str, name: &str, text: &str| {
            std::fs::create_dir_all(folder.join(part)).expect("a folder");
            std::fs::write(folder.join(part).join(name), text).expect("a file");
        };
        put("1", "a_u_p_peer_audio_1.webm", "sound");
        put("1", "said.jsonl", "{\"said\":\"began\",\"at_ms\":1}\n{\"said\":\"prog");
        put("1", "empty_u_p_peer_audio_1.webm", "");
        put("2", "a_u_p_peer_audio_1.webm", "more");
        put("2", "stray.webm", "not told of");
        let said = r#"{"said":"finished","at_ms":1,"duration_ms":1,"files":[
            {"name":"a_u_p_peer_audio_1.webm","bytes":1,"kind":"track","duration_ms":1},
            {"name":"../1/said.jsonl","bytes":1,"kind":"track","duration_ms":1},
            {"name":"link.webm","bytes":1,"kind":"track","duration_ms":1}]}"#;
        put("2", "said.jsonl", &(said.replace('\n', "") + "\n"));
        std::os::unix::fs::symlink("/etc/passwd", folder.join("2/link.webm")).expect("a link");
        assert_eq!(recorded_ms(&folder), Some(1));
        let names: Vec<_> = collect(&folder).into_iter().map(|found| (found.file.name, found.file.bytes)).collect();
        let expected = [("a_u_p_peer_audio_1.webm", 5), ("a_u_p_peer_audio_1_part2.webm", 4)];
        assert_eq!(names, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
        assert!(collect(&folder).iter().all(|found| found.file.kind == RecordingFileKind::Track));
        std::fs::remove_dir_all(&folder).expect("removed");
        assert_eq!(collect(&folder), []);
    }
}
