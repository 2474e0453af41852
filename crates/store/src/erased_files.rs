//! Files of recordings that hold the voice of somebody who was erased.
//! Invariant: a file is told of no more in the same transaction that has it deleted; its bytes go with the sweep.
//! Next: `erasure.rs`, which says whose.

use std::collections::HashSet;

use salon_core::event::RecordingKind;
use salon_core::{MeetingId, ParticipantId, PeerId, RecordingId, SessionId};
use serde_json::Value;

use crate::Store;
use crate::engine::{args, built};
use crate::erasure::ERASED_ID;
use crate::error::Result;
use crate::recordings::{COLUMNS, UNFINISHED, encode_files, read};
use crate::transact::transaction;

impl Store {
    /// The meeting of a session in which voices are being recorded, or are on their way to where they are kept.
    pub(crate) async fn voices_under_way(&self, session: &SessionId) -> Result<Option<MeetingId>> {
        let sql = format!(
            "select meeting_id from recordings where session_id = $1 and kind = 'track' and status in {UNFINISHED} limit 1"
        );
        self.db.one(built(sql), args![session]).await?.as_ref().map(|row| row.id("meeting_id")).transpose()
    }

    /// Takes the voices of these people, as these connections, out of the recordings of a session; and their ids out of whose
    /// voices were asked for. How many files there were.
    pub(crate) async fn erase_voices(
        &self,
        session: &SessionId,
        who: &HashSet<ParticipantId>,
        custom: Option<&str>,
        stays: &[(&PeerId, &ParticipantId)],
    ) -> Result<u64> {
        transaction!(self.db, |tx| {
            let mut files = 0;
            let sql = format!("select {COLUMNS} from recordings where session_id = $1 order by id{}", self.db.for_update());
            for row in tx.all(built(sql), args![session]).await? {
                let recording = read(&row)?;
                let mut left = recording.clone();
                if recording.kind == RecordingKind::Track {
                    let prefix = recording.config["name"].as_str().unwrap_or_default();
                    // As `salon_recorder` names them.
                    let theirs: Vec<String> =
                        stays.iter().map(|(peer, participant)| format!("{prefix}_{participant}_{peer}_")).collect();
                    left.files.retain(|file| !theirs.iter().any(|begins| file.name.starts_with(begins.as_str())));
                }
                if let Some(Value::Array(asked_for)) = left.config.get_mut("user_ids") {
                    let is_theirs = |id: &str| custom == Some(id) || who.iter().any(|participant| participant.as_str() == id);
                    let named = asked_for.iter_mut().filter(|id| id.as_str().is_some_and(is_theirs));
                    named.for_each(|id| *id = ERASED_ID.into());
                }
                if left == recording {
                    continue;
                }
                for file in recording.files.iter().filter(|file| !left.files.contains(file)) {
                    let sql = "insert into erased_files (recording_id, name) values ($1, $2) on conflict do nothing";
                    tx.run(sql, args![&recording.id, &file.name]).await?;
                    files += 1;
                }
                let sql = "update recordings set files = $2, config = $3 where id = $1";
                tx.run(sql, args![&recording.id, &encode_files(&left.files), &left.config]).await?;
            }
            Ok(files)
        })
    }

    /// Files whose bytes are to be deleted, at most so many of those after the one given.
    pub async fn erased_files(&self, after: Option<&(RecordingId, String)>, limit: u32) -> Result<Vec<(RecordingId, String)>> {
        let (id, name) = after.map_or(("", ""), |(id, name)| (id.as_str(), name.as_str()));
        let sql = "select recording_id, name from erased_files where (recording_id, name) > ($1, $2) \
                   order by recording_id, name limit $3";
        let rows = self.db.all(sql, args![id, name, limit]).await?;
        rows.iter().map(|row| Ok((row.id("recording_id")?, row.text("name")?))).collect()
    }

    /// The bytes of a file are gone.
    pub async fn forget_erased_file(&self, (id, name): &(RecordingId, String)) -> Result<()> {
        self.db.run("delete from erased_files where recording_id = $1 and name = $2", args![id, name]).await.map(drop)
    }
}
