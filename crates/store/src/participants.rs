//! Participants: people added to a meeting, each with a preset.
//! Invariant: a participant's meeting and preset are of its app. Who was deleted never comes back under the same id, for which
//! there may be tokens.
//! Next: `admission`, the one question a joining socket asks.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use salon_core::{AppId, MeetingId, ParticipantId, PresetId, Timestamp};

use crate::Store;
use crate::edits::{Loaded, edit};
use crate::engine::{Arg, Row, Tx, args, built};
use crate::error::{Error, Result, Rule};
use crate::list::{Filter, Listing, Page, search_text};
use crate::many::lists;
use crate::meetings::{Meeting, read_meeting};
use crate::presets::Preset;
use crate::transact::{run, transaction};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    pub id: ParticipantId,
    pub meeting: MeetingId,
    pub app: AppId,
    pub preset: PresetId,
    pub name: Option<String>,
    pub picture: Option<String>,
    pub custom_participant_id: String,
    /// Of somebody moved here from a connected meeting: the participant there whom this one stands for.
    pub origin: Option<ParticipantId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A participant, and what its preset is called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantRow {
    pub participant: Participant,
    pub preset_name: String,
}

/// Everything that decides whether and how someone enters, read at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    pub participant: Participant,
    pub meeting: Meeting,
    pub preset: Preset,
}

pub(crate) const COLUMNS: &str = "p.id, p.meeting_id, p.app_id, p.preset_id, p.name, p.picture, p.custom_participant_id, \
     p.origin_id, p.created_ms, p.updated_ms, s.name as preset_name";
pub(crate) const TABLES: &str = "participants p join presets s on s.id = p.preset_id";

impl Store {
    /// Stores a new participant. `NotFound` if its app has no such meeting or no such preset, `Conflict(IdTaken)` if
    /// the id exists, `Conflict(ParticipantDeleted)` if the app had somebody of it.
    pub async fn create_participant(&self, participant: &Participant) -> Result<()> {
        transaction!(self.db, |tx| {
            match tx.run(INSERT, insert_args(participant)).await {
                Ok(0) => {}
                Ok(_) => return Ok(()),
                // The preset was deleted between the question and the write.
                Err(err) if err.is_foreign_key() => return Err(Error::NotFound),
                Err(err) => return Err(err),
            }
            if tx.one("select id from participants where id = $1", args![&participant.id]).await?.is_some() {
                return Err(Error::Conflict(Rule::IdTaken));
            }
            match tx.one(WAS_DELETED, args![&participant.app, &hash(&participant.id)]).await? {
                Some(_) => Err(Error::Conflict(Rule::ParticipantDeleted)),
                None => Err(Error::NotFound),
            }
        })
    }

    /// Whether the app had a participant of this id who was deleted or erased.
    pub async fn was_participant_deleted(&self, app: &AppId, id: &ParticipantId) -> Result<bool> {
        Ok(self.db.one(WAS_DELETED, args![app, &hash(id)]).await?.is_some())
    }

    pub async fn participant(&self, meeting: &MeetingId, id: &ParticipantId) -> Result<Option<ParticipantRow>> {
        let sql = format!("select {COLUMNS} from {TABLES} where p.meeting_id = $1 and p.id = $2");
        self.db.one(built(sql), args![meeting, id]).await?.as_ref().map(read_row).transpose()
    }

    /// The participants of a meeting, searched by id, custom id and name.
    pub async fn participants(&self, meeting: &MeetingId, page: &Page) -> Result<Listing<ParticipantRow>> {
        let mut filter = Filter::new("p.meeting_id = ?", meeting);
        filter.and_search("p.search_text", page.search.as_deref());
        let order = if page.newest_first { "p.created_ms desc, p.id desc" } else { "p.created_ms, p.id" };
        filter.list(&self.db, (COLUMNS, TABLES), (order, None), page, read_row).await
    }

    /// Makes of a participant what `change` makes of it, but for id, meeting, app and `created_at`; it may be asked several
    /// times. `NotFound` if the meeting has no such participant or the app no such preset, `Conflict(ChangedMeanwhile)`
    /// if too many change it at once.
    pub async fn edit_participant<E: From<Error>>(
        &self,
        meeting: &MeetingId,
        id: &ParticipantId,
        change: impl FnMut(Participant) -> std::result::Result<Participant, E>,
    ) -> std::result::Result<Participant, E> {
        let load = || async move {
            let sql = format!("select {COLUMNS}, p.version from {TABLES} where p.meeting_id = $1 and p.id = $2");
            let row = self.db.one(built(sql), args![meeting, id]).await?;
            row.map(|row| Ok(Loaded { row: read_row(&row)?.participant, version: row.int("version")? })).transpose()
        };
        edit(load, change, |changed, version| self.put_participant(changed, version)).await
    }

    async fn put_participant(&self, participant: Participant, version: i64) -> Result<Option<Participant>> {
        let sql = "update participants set preset_id = $3, name = $4, picture = $5, custom_participant_id = $6, \
                   search_text = $7, updated_ms = $8, version = version + 1 where meeting_id = $1 and id = $2 and version = $9 \
                   and exists (select 1 from presets where id = $3 and presets.app_id = participants.app_id)";
        let row = args![
            &participant.meeting,
            &participant.id,
            &participant.preset,
            &participant.name,
            &participant.picture,
            &participant.custom_participant_id,
            &found_by(&participant),
            participant.updated_at,
            version,
        ];
        match run(&self.db, sql, row).await {
            Ok(0) => {}
            Ok(_) => return Ok(Some(participant)),
            Err(err) if err.is_foreign_key() => return Err(Error::NotFound),
            Err(err) => return Err(err),
        }
        let sql = "select version from participants where meeting_id = $1 and id = $2";
        match self.db.one(sql, args![&participant.meeting, &participant.id]).await? {
            // Nobody has changed it: its preset is not there.
            Some(row) if row.int("version")? == version => Err(Error::NotFound),
            Some(_) => Ok(None),
            None => Err(Error::NotFound),
        }
    }

    /// Deletes a participant and returns it, and with it those who stand for it in connected meetings, whose ids nobody else
    /// tells. Of its id a hash stays.
    pub async fn delete_participant(&self, meeting: &MeetingId, id: &ParticipantId) -> Result<ParticipantRow> {
        transaction!(self.db, |tx| {
            let sql = format!("select {COLUMNS} from {TABLES} where p.meeting_id = $1 and p.id = $2");
            let Some(row) = tx.one(built(sql), args![meeting, id]).await? else { return Err(Error::NotFound) };
            let deleted = read_row(&row)?;
            match tx.run("delete from participants where meeting_id = $1 and id = $2", args![meeting, id]).await? {
                0 => Err(Error::NotFound),
                _ => {
                    tx.run("delete from participants where origin_id = $1", args![id]).await?;
                    never_again(tx, &deleted.participant.app, id).await?;
                    Ok(deleted)
                }
            }
        })
    }

    /// Those of these who are no participants any more.
    pub async fn deleted_among(&self, people: BTreeSet<ParticipantId>) -> Result<BTreeSet<ParticipantId>> {
        let among: BTreeSet<&ParticipantId> = people.iter().collect();
        let mut there = BTreeSet::new();
        for (ids, args) in lists(&among) {
            for row in self.db.all(built(format!("select id from participants where id in ({ids})")), args).await? {
                there.insert(row.id("id")?);
            }
        }
        Ok(people.difference(&there).cloned().collect())
    }

    /// What a joining socket needs to know about its participant; `None` if there is none of this id.
    pub async fn admission(&self, id: &ParticipantId) -> Result<Option<Admission>> {
        let sql = "select p.id as p_id, p.name as p_name, p.picture, p.custom_participant_id, \
                   p.created_ms as p_created_ms, p.updated_ms as p_updated_ms, p.preset_id, \
                   s.name as s_name, s.body, s.created_ms as s_created_ms, s.updated_ms as s_updated_ms, \
                   m.id, m.app_id, m.title, m.active, m.record_on_start, m.live_stream_on_start, m.persist_chat, \
                   m.transcribe_on_end, m.summarize_on_end, m.keep_alive_secs, m.recording_config, m.ai_config, \
                   m.created_ms, m.updated_ms, m.parent_id, m.deleted_ms, p.origin_id \
                   from participants p join meetings m on m.id = p.meeting_id join presets s on s.id = p.preset_id \
                   where p.id = $1";
        let Some(row) = self.db.one(sql, args![id]).await? else { return Ok(None) };
        let meeting = read_meeting(&row)?;
        let participant = Participant {
            id: row.id("p_id")?,
            meeting: meeting.id.clone(),
            app: meeting.app.clone(),
            preset: row.id("preset_id")?,
            name: row.text_or_null("p_name")?,
            picture: row.text_or_null("picture")?,
            custom_participant_id: row.text("custom_participant_id")?,
            origin: row.id_or_null("origin_id")?,
            created_at: row.time("p_created_ms")?,
            updated_at: row.time("p_updated_ms")?,
        };
        let preset = Preset {
            id: participant.preset.clone(),
            app: meeting.app.clone(),
            name: row.text("s_name")?,
            body: row.json("body")?,
            created_at: row.time("s_created_ms")?,
            updated_at: row.time("s_updated_ms")?,
        };
        Ok(Some(Admission { participant, meeting, preset }))
    }
}

pub(crate) const INSERT: &str = "insert into participants (id, meeting_id, app_id, preset_id, name, picture, \
     custom_participant_id, origin_id, search_text, created_ms, updated_ms) \
     select $1, m.id, m.app_id, s.id, $5, $6, $7, $8, $9, $10, $11 \
     from meetings m join presets s on s.app_id = m.app_id \
     where m.id = $2 and m.app_id = $3 and s.id = $4 \
     and not exists (select 1 from deleted_participants where app_id = $3 and participant_hash = $12) on conflict do nothing";

const WAS_DELETED: &str = "select 1 as one from deleted_participants where app_id = $1 and participant_hash = $2";

/// Notes that nobody of this id comes back.
pub(crate) async fn never_again(tx: &mut Tx, app: &AppId, id: &ParticipantId) -> Result<()> {
    let sql = "insert into deleted_participants (app_id, participant_hash) values ($1, $2) on conflict do nothing";
    tx.run(sql, args![app, &hash(id)]).await.map(drop)
}

/// What stays of an id.
fn hash(id: &ParticipantId) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, id.as_str().as_bytes()).as_ref());
    hash
}

pub(crate) fn insert_args(participant: &Participant) -> Vec<Arg> {
    args![
        &participant.id,
        &participant.meeting,
        &participant.app,
        &participant.preset,
        &participant.name,
        &participant.picture,
        &participant.custom_participant_id,
        &participant.origin,
        &found_by(participant),
        participant.created_at,
        participant.updated_at,
        &hash(&participant.id),
    ]
}

pub(crate) fn found_by(participant: &Participant) -> String {
    let name = participant.name.as_deref().unwrap_or_default();
    search_text(&[participant.id.as_str(), &participant.custom_participant_id, name])
}

pub(crate) fn read_row(row: &Row) -> Result<ParticipantRow> {
    let participant = Participant {
        id: row.id("id")?,
        meeting: row.id("meeting_id")?,
        app: row.id("app_id")?,
        preset: row.id("preset_id")?,
        name: row.text_or_null("name")?,
        picture: row.text_or_null("picture")?,
        custom_participant_id: row.text("custom_participant_id")?,
        origin: row.id_or_null("origin_id")?,
        created_at: row.time("created_ms")?,
        updated_at: row.time("updated_ms")?,
    };
    Ok(ParticipantRow { participant, preset_name: row.text("preset_name")? })
}
