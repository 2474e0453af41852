//! Connected meetings: the meetings made in another, and the participants who stand for people moved between them.
//! Invariant: a connected meeting has a parent that has none, of the same app; of each person there is at most one
//! participant in each meeting.
//! Next: `meetings.rs`, what a meeting is.

use salon_core::{MeetingId, ParticipantId, PresetId, SessionId, Timestamp};

use crate::Store;
use crate::engine::{Tx, args, built};
use crate::error::{Error, Result};
use crate::meetings::{self, Meeting, read_meeting};
use crate::participants::{self, Participant, read_row};
use crate::sessions::{self, SessionRow, read_session};
use crate::transact::transaction;

/// Most sessions of connected meetings told of one session.
const MAX_BREAKOUTS: u32 = 500;

/// Somebody who is to be in another meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The participant where the person is now.
    pub from: Participant,
    /// The preset there, if it is to be another than here.
    pub preset: Option<PresetId>,
    /// The id of the participant there, if there is none yet.
    pub fresh_id: ParticipantId,
}

impl Store {
    /// The connected meetings of `parent` that are not deleted, oldest first.
    pub async fn connected_meetings(&self, parent: &MeetingId) -> Result<Vec<Meeting>> {
        let sql = format!(
            "select {} from meetings where parent_id = $1 and deleted_ms is null order by created_ms, id",
            meetings::COLUMNS
        );
        self.db.all(built(sql), args![parent]).await?.iter().map(read_meeting).collect()
    }

    /// Whether any connected meeting was ever made in `parent`.
    pub async fn has_connected_meetings(&self, parent: &MeetingId) -> Result<bool> {
        let sql = "select 1 as one from meetings where parent_id = $1 limit 1";
        Ok(self.db.one(sql, args![parent]).await?.is_some())
    }

    /// Makes connected meetings, all or none; false and none if `parent` would have more than `most`. `NotFound` if
    /// there is no such parent, or it is connected itself.
    pub async fn create_connected_meetings(&self, parent: &MeetingId, rooms: &[Meeting], most: usize) -> Result<bool> {
        transaction!(self.db, |tx| {
            // Held, so that two callers do not count past each other.
            let sql = format!("select id from meetings where id = $1 and parent_id is null{}", self.db.for_update());
            tx.one(built(sql), args![parent]).await?.ok_or(Error::NotFound)?;
            let sql = "select count(*) as total from meetings where parent_id = $1 and deleted_ms is null";
            let there: u64 = tx.one(sql, args![parent]).await?.map_or(Ok(0), |row| row.count("total"))?;
            if there as usize + rooms.len() > most {
                return Ok(false);
            }
            for room in rooms {
                tx.run(meetings::INSERT, meetings::insert_args(room)).await?;
            }
            Ok(true)
        })
    }

    /// Deletes connected meetings of `parent`; answers with those of `ids` that are deleted now, or were before.
    pub async fn delete_connected_meetings(&self, parent: &MeetingId, ids: &[MeetingId], now: Timestamp) -> Result<Vec<Meeting>> {
        transaction!(self.db, |tx| {
            let mut deleted = Vec::new();
            for id in ids {
                let sql = "update meetings set deleted_ms = $3, updated_ms = $3, version = version + 1 \
                           where parent_id = $1 and id = $2 and deleted_ms is null";
                tx.run(sql, args![parent, id, now]).await?;
                let sql = format!("select {} from meetings where parent_id = $1 and id = $2", meetings::COLUMNS);
                deleted.extend(tx.one(built(sql), args![parent, id]).await?.as_ref().map(read_meeting).transpose()?);
            }
            Ok(deleted)
        })
    }

    /// The participant of `meeting` who is, or stands for, the same person as `named`: somebody of any meeting connected
    /// with it.
    pub async fn person_in(&self, meeting: &MeetingId, named: &ParticipantId) -> Result<Option<Participant>> {
        let sql = format!(
            "select {} from {} where p.meeting_id = $1 \
             and (p.id = $2 or p.origin_id = $2 \
             or exists (select 1 from participants o where o.id = $2 and (o.origin_id = p.id or o.origin_id = p.origin_id)))",
            participants::COLUMNS,
            participants::TABLES
        );
        let row = self.db.one(built(sql), args![meeting, named]).await?;
        Ok(row.as_ref().map(read_row).transpose()?.map(|row| row.participant))
    }

    /// Sees to it that people have a participant in `destination`, and answers with these in the same order. Who was
    /// added there keeps everything but a preset that is asked for; who stands for somebody is as that person is now.
    /// `NotFound` if the app has no such meeting or preset.
    pub async fn bring(&self, destination: &MeetingId, people: &[Brought], now: Timestamp) -> Result<Vec<Participant>> {
        transaction!(self.db, |tx| {
            let mut brought = Vec::with_capacity(people.len());
            for Brought { from, preset, fresh_id } in people {
                let person = from.origin.as_ref().unwrap_or(&from.id);
                let preset = preset.as_ref();
                let as_there = |id: &ParticipantId, created_at| Participant {
                    id: id.clone(),
                    meeting: destination.clone(),
                    origin: Some(person.clone()),
                    preset: preset.unwrap_or(&from.preset).clone(),
                    created_at,
                    updated_at: now,
                    ..from.clone()
                };
                let known = match participant_of(tx, destination, person).await? {
                    Some(known) => known,
                    None => {
                        // Another caller may be faster, whose row is found then.
                        tx.run(participants::INSERT, participants::insert_args(&as_there(fresh_id, now))).await?;
                        participant_of(tx, destination, person).await?.ok_or(Error::NotFound)?
                    }
                };
                let there = match known.origin {
                    Some(_) => as_there(&known.id, known.created_at),
                    None => Participant { preset: preset.unwrap_or(&known.preset).clone(), ..known },
                };
                let sql = "update participants set preset_id = $3, name = $4, picture = $5, custom_participant_id = $6, \
                           search_text = $7, updated_ms = $8, version = version + 1 where meeting_id = $1 and id = $2 \
                           and exists (select 1 from presets where id = $3 and presets.app_id = participants.app_id)";
                let row = args![
                    destination,
                    &there.id,
                    &there.preset,
                    &there.name,
                    &there.picture,
                    &there.custom_participant_id,
                    &participants::found_by(&there),
                    there.updated_at,
                ];
                if tx.run(sql, row).await? == 0 {
                    return Err(Error::NotFound);
                }
                brought.push(there);
            }
            Ok(brought)
        })
    }

    /// Those who stand for a participant in connected meetings.
    pub async fn stand_ins(&self, origin: &ParticipantId) -> Result<Vec<Participant>> {
        let sql = format!("select {} from {} where p.origin_id = $1", participants::COLUMNS, participants::TABLES);
        self.db.all(built(sql), args![origin]).await?.iter().map(|row| Ok(read_row(row)?.participant)).collect()
    }

    /// The sessions of connected meetings that belong to a session of `meeting`, oldest first, of too many the newest: those
    /// that began in its time, and if it is live also those that live beside it.
    pub async fn breakouts(&self, meeting: &MeetingId, session: &SessionId, live: bool) -> Result<Vec<SessionRow>> {
        let beside = "or (s.ended_ms is null and s.meeting_id in (select id from meetings where parent_id = $2))";
        let sql = format!(
            "select {} from {} where s.parent_session_id = $1 {} order by s.created_ms desc, s.id desc limit {MAX_BREAKOUTS}",
            sessions::columns(&self.db),
            sessions::TABLES,
            if live { beside } else { "and $2 = $2" },
        );
        let mut rows =
            self.db.all(built(sql), args![session, meeting]).await?.iter().map(read_session).collect::<Result<Vec<_>>>()?;
        rows.reverse();
        Ok(rows)
    }
}

/// The participant of a meeting who is, or stands for, this person.
async fn participant_of(tx: &mut Tx, meeting: &MeetingId, person: &ParticipantId) -> Result<Option<Participant>> {
    let sql = format!(
        "select {} from {} where p.meeting_id = $1 and (p.id = $2 or p.origin_id = $2)",
        participants::COLUMNS,
        participants::TABLES
    );
    let row = tx.one(built(sql), args![meeting, person]).await?;
    Ok(row.as_ref().map(read_row).transpose()?.map(|row| row.participant))
}
