//! The files of a recording that is over: found in its folder, and put where they belong.
//! Invariant: the folder is cleared only when its files are stored, or the row says that they are lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use salon_core::event::RecordingKind;
use salon_core::notice::RecordingStatus;
use salon_core::{RecordingId, Timestamp};
use salon_files::{Bucket, put_elsewhere};
use salon_recorder::job::{FileKind, ORDERS, SAID, Saying};
use salon_store::{DAY_MS, Recording, RecordingFile, RecordingFileKind};
use serde::Deserialize;

use crate::desk::Parts;
use crate::process::LOG;

/// Pauses between tries to store, in seconds. Storage of others that refuses for longer than these does not get the files.
const AGAIN_SECS: [u64; 6] = [1, 5, 20, 60, 120, 300];

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
}

impl Kept {
    pub fn note(&self, recording: &mut Recording) {
        let lost = self.error.is_some() && !self.is_kept;
        recording.status = if lost { RecordingStatus::Errored } else { RecordingStatus::Uploaded };
        recording.files.clone_from(&self.files);
        (recording.is_kept, recording.expires_at, recording.storage) = (self.is_kept, self.expires_at, None);
        let parts = self.files.iter().filter(|file| file.kind == RecordingFileKind::Video).count();
        let apart = (parts > 1 && recording.kind == RecordingKind::Composite)
            .then(|| format!("its {parts} parts could not be joined: the link is to the first, and all are stored"));
        recording.error = self.error.clone().or(apart).or(recording.error.take());
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

/// Puts the files where they belong.
pub async fn keep(parts: &Parts, recording: &Recording, folder: &Path) -> Kept {
    let (place, ffmpeg) = (folder.to_path_buf(), parts.settings.ffmpeg.clone());
    let is_whole = recording.kind == RecordingKind::Composite;
    let found = tokio::task::spawn_blocking(move || {
        let found = collect(&place);
        if is_whole { whole(found, &place, ffmpeg.as_deref()) } else { found }
    });
    let found = found.await.unwrap_or_default();
    let files: Vec<_> = found.iter().map(|found| found.file.clone()).collect();
    let none = |error: &str| Kept { files: Vec::new(), is_kept: false, expires_at: None, error: Some(error.to_owned()) };
    if files.is_empty() && recording.is_only_streamed() {
        return Kept { files, is_kept: false, expires_at: None, error: None };
    }
    if files.is_empty() {
        return none("the files are gone from the server's disk");
    }
    let own: Option<Own> = match recording.storage.clone().map(serde_json::from_value).transpose() {
        Ok(own) => own,
        Err(_) => return none("its storage cannot be read"),
    };
    let is_kept = recording.config["bucket"].as_bool().unwrap_or(true);
    if is_kept {
        keep_here(parts, recording, &found).await;
    }
    let mut error = None;
    if let Some(own) = own
        && let Err(cause) = keep_there(&own, &found).await
    {
        tracing::warn!(recording.id = %recording.id, error = %format_args!("{cause:#}"), "a recording cannot be stored where its owner wants it");
        error = Some("it could not be stored in the storage that was given".to_owned());
    }
    let keep_ms = i64::from(parts.settings.keep_days) * DAY_MS;
    let expires_at = is_kept.then(|| Timestamp((parts.clock.now().0 + keep_ms) / 1_000 * 1_000));
    Kept { files, is_kept, expires_at, error }
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

/// However long it takes: it is the server's own storage, and will be back.
async fn keep_here(parts: &Parts, recording: &Recording, found: &[Found]) {
    for Found { path, file } in found {
        let object = format!("{}/{}", folder_of(&recording.id), file.name);
        let mut pauses = AGAIN_SECS.into_iter();
        while let Err(error) = parts.files.put(&object, path).await {
            let error = format_args!("{error:#}").to_string();
            tracing::warn!(recording.id = %recording.id, error, "a recording cannot be stored yet");
            tokio::time::sleep(Duration::from_secs(pauses.next().unwrap_or(600))).await;
        }
    }
}

async fn keep_there(own: &Own, found: &[Found]) -> anyhow::Result<()> {
    let bucket = Bucket {
        name: own.name.clone(),
        endpoint: own.endpoint.clone(),
        region: own.region.clone(),
        access_key: own.access_key.clone(),
        secret_key: own.secret_key.clone(),
    };
    for Found { path, file } in found {
        let object = format!("{}/{}", own.path.trim_matches('/'), file.name);
        let mut pauses = AGAIN_SECS.into_iter().take(4);
        while let Err(error) = put_elsewhere(&bucket, object.trim_start_matches('/'), path).await {
            let Some(secs) = pauses.next() else { return Err(error) };
            tokio::time::sleep(Duration::from_secs(secs)).await;
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
