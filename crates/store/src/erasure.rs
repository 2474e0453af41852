//! Taking a person out of what is kept of an app: from the records and lists of sessions that are over, the chat's files, what
//! they said aloud, what their devices said and measured, what webhooks and feeds have yet to tell.
//! Invariant: the steps may be cut off anywhere. A session is on the list of what is left to do until all of it is done, and the
//! participants go last, so that calling again finds the rest.
//! Next: `salon_core::erasure`, what becomes of a record.

use std::collections::HashSet;

use salon_core::erasure::{ERASED, Erasure};
use salon_core::notice::News;
use salon_core::{AppId, EventBody, MeetingId, ParticipantId, PeerId, SessionId, Timestamp};

use crate::Store;
use crate::engine::{Arg, args, built};
use crate::error::{Error, Result};
use crate::notice;
use crate::participants;
use crate::peer_row::{self, PeerRow};
use crate::record;
use crate::session_peers::Person;
use crate::sessions::MAX_EVENTS;
use crate::transact::transaction;
use crate::transcripts;

/// Events of a record that one transaction rewrites. More holds others up for longer.
const EVENTS: usize = 500;

/// What stands where an id of theirs was.
pub(crate) const ERASED_ID: &str = ERASED;

/// Deliveries looked through at once.
const DELIVERIES: u32 = 1_000;

/// What came of erasing somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erased {
    /// Everything is done.
    Done(Receipt),
    /// Neither a participant nor a session has this id.
    Nobody,
    /// A session of this meeting is live, and knows them. Nothing was done.
    Live(MeetingId),
    /// Sessions of an earlier version are being indexed. Nothing was done.
    Indexing,
    /// Voices of a session of this meeting are on their way to where they are kept. Nothing was done.
    Storing(MeetingId),
}

/// What was taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Who was deleted, each with its meeting. One who came in meanwhile may still be there.
    pub participants: Vec<(MeetingId, ParticipantId)>,
    /// Sessions that said something of them.
    pub sessions: u64,
    /// What they said in the chat of those.
    pub messages: u64,
    /// Files of theirs in chats; the sweep deletes them.
    pub files: u64,
    /// Recordings of their voice alone; the sweep deletes them.
    pub voices: u64,
}

/// A session that says something of somebody.
struct SaidOf {
    session: SessionId,
    meeting: MeetingId,
    is_live: bool,
}

/// The condition for a participant, or a row with the columns of one, to be this person; `$1` is the app, `$2` who.
fn is_them(person: &Person, id: &str) -> String {
    let theirs = match person {
        Person::Participant(_) => return format!("({id} = $2 or origin_id = $2)"),
        // With those whom a call found that was cut off: they may have been deleted since, or have another own id.
        Person::Custom(_) => {
            "select id from participants where app_id = $1 and custom_participant_id = $2 \
             union select participant_id from erasing where app_id = $1 and custom_participant_id = $2"
        }
    };
    format!("(custom_participant_id = $2 or {id} in ({theirs}) or origin_id in ({theirs}))")
}

fn who(person: &Person) -> Arg {
    match person {
        Person::Participant(id) => Arg::from(id),
        Person::Custom(id) => Arg::from(id),
    }
}

impl Store {
    /// Takes a person out of everything that is kept of an app, but for when somebody was where. Calling again finishes what was
    /// cut off.
    pub async fn erase(&self, app: &AppId, person: &Person, now: Timestamp) -> Result<Erased> {
        // Whoever has no id of the caller's is nobody in particular.
        if *person == Person::Custom(String::new()) {
            return Ok(Erased::Nobody);
        }
        let participants = self.participants_who_are(app, person).await?;
        let Some(sessions) = self.sessions_that_say(app, person).await? else { return Ok(Erased::Indexing) };
        if participants.is_empty() && sessions.is_empty() && !self.is_being_erased(app, person).await? {
            return Ok(Erased::Nobody);
        }
        if let Some(live) = sessions.iter().find(|said| said.is_live) {
            return Ok(Erased::Live(live.meeting.clone()));
        }
        // From here on it is known whom it is about, also if this is cut off and they are deleted or get another own id.
        self.begin_erasing(app, person).await?;
        let participants = self.participants_who_are(app, person).await?;
        let Some(sessions) = self.sessions_that_say(app, person).await? else { return Ok(Erased::Indexing) };
        for said in &sessions {
            if said.is_live {
                return Ok(Erased::Live(said.meeting.clone()));
            }
            if let Some(meeting) = self.voices_under_way(&said.session).await? {
                return Ok(Erased::Storing(meeting));
            }
        }
        let stays = self.stays_of(app, person).await?;
        // Also those who were deleted before: what they said and sent may be there still.
        let mut who: HashSet<ParticipantId> = participants.iter().map(|(_, participant)| participant.clone()).collect();
        if let Person::Participant(id) = person {
            who.insert(id.clone());
        }
        let mut peers = HashSet::new();
        for (session, peer, participant) in &stays {
            who.insert(participant.clone());
            peers.insert((session.clone(), peer.clone()));
        }
        let custom = if let Person::Custom(custom) = person { Some(custom.as_str()) } else { None };
        self.erase_from_deliveries(app, &peers).await?;
        let files = self.erase_chat_files(&who, now).await?;
        let (mut messages, mut voices) = (0, 0);
        for SaidOf { session, .. } in &sessions {
            let here = stays.iter().filter(|(of, _, _)| of == session);
            let here: Vec<_> = here.map(|(_, peer, participant)| (peer, participant)).collect();
            voices += self.erase_voices(session, &who, custom, &here).await?;
            messages += self.erase_from_session(session, &who).await?;
        }
        for (meeting, participant) in &participants {
            match self.delete_participant(meeting, participant).await {
                // Went with the one that it stands for.
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        self.never_again(app, &who).await?;
        self.erase_from_entrance(app, &who).await?;
        self.end_erasing(app, person).await?;
        Ok(Erased::Done(Receipt { participants, sessions: sessions.len() as u64, messages, files, voices }))
    }

    /// Has nobody come back under these ids: also those who were deleted before that was noted.
    async fn never_again(&self, app: &AppId, who: &HashSet<ParticipantId>) -> Result<()> {
        transaction!(self.db, |tx| {
            for participant in who {
                participants::never_again(tx, app, participant).await?;
            }
            Ok(())
        })
    }

    /// Forgets that they came to meetings and were not let in.
    async fn erase_from_entrance(&self, app: &AppId, who: &HashSet<ParticipantId>) -> Result<()> {
        transaction!(self.db, |tx| {
            for participant in who {
                tx.run("delete from entrance where app_id = $1 and participant_id = $2", args![app, participant]).await?;
            }
            Ok(())
        })
    }

    /// Whether a call of before was cut off.
    async fn is_being_erased(&self, app: &AppId, person: &Person) -> Result<bool> {
        let Person::Custom(custom) = person else { return Ok(false) };
        let sql = "select 1 as one from erasing where app_id = $1 and custom_participant_id = $2 limit 1";
        Ok(self.db.one(sql, args![app, custom]).await?.is_some())
    }

    /// Writes down which participants somebody is or was. One by its own id stays known as it is.
    async fn begin_erasing(&self, app: &AppId, person: &Person) -> Result<()> {
        let Person::Custom(custom) = person else { return Ok(()) };
        let sql = "insert into erasing (app_id, custom_participant_id, participant_id) \
                   select $1, $2, id from participants where app_id = $1 and custom_participant_id = $2 \
                   union select $1, $2, participant_id from session_peers where app_id = $1 and custom_participant_id = $2 \
                   on conflict do nothing";
        // Not yet the act that is asked for: that is noted with the first thing that goes.
        self.db.run(sql, args![app, custom]).await.map(drop)
    }

    /// All of it is done.
    async fn end_erasing(&self, app: &AppId, person: &Person) -> Result<()> {
        let Person::Custom(custom) = person else { return Ok(()) };
        let sql = "delete from erasing where app_id = $1 and custom_participant_id = $2";
        self.db.run(sql, args![app, custom]).await.map(drop)
    }

    /// The participants of an app who are this person, each with its meeting.
    async fn participants_who_are(&self, app: &AppId, person: &Person) -> Result<Vec<(MeetingId, ParticipantId)>> {
        let sql = format!("select meeting_id, id from participants where app_id = $1 and {} order by id", is_them(person, "id"));
        let rows = self.db.all(built(sql), args![app, who(person)]).await?;
        rows.iter().map(|row| Ok((row.id("meeting_id")?, row.id("id")?))).collect()
    }

    /// In which sessions they were, as which peer and participant.
    async fn stays_of(&self, app: &AppId, person: &Person) -> Result<Vec<(SessionId, PeerId, ParticipantId)>> {
        let them = is_them(person, "participant_id");
        let sql = format!("select session_id, peer_id, participant_id from session_peers where app_id = $1 and {them}");
        let rows = self.db.all(built(sql), args![app, who(person)]).await?;
        rows.iter().map(|row| Ok((row.id("session_id")?, row.id("peer_id")?, row.id("participant_id")?))).collect()
    }

    /// The sessions that say something of this person: those that they were in, and later ones that began with the chat of those.
    /// `None` while sessions of an earlier version are not indexed.
    async fn sessions_that_say(&self, app: &AppId, person: &Person) -> Result<Option<Vec<SaidOf>>> {
        let sql = "select 1 as one from sessions where peers_seq < last_seq and ended_ms is not null limit 1";
        if self.db.one(sql, args![]).await?.is_some() {
            return Ok(None);
        }
        let them = is_them(person, "participant_id");
        let sql = format!(
            "select s.id, s.meeting_id, s.ended_ms from sessions s where s.app_id = $1 and s.id in \
             (select session_id from session_peers where app_id = $1 and {them} \
              union select later.id from sessions later join session_events e on e.session_id = later.id and e.seq = 2 \
              where later.app_id = $1 and e.kind = 'chat_kept' and later.meeting_id in \
              (select earlier.meeting_id from sessions earlier join session_peers p on p.session_id = earlier.id \
               where p.app_id = $1 and {them})) \
             order by s.created_ms desc, s.id"
        );
        let rows = self.db.all(built(sql), args![app, who(person)]).await?;
        let read = |row: &crate::engine::Row| {
            let is_live = row.time_or_null("ended_ms")?.is_none();
            Ok(SaidOf { session: row.id("id")?, meeting: row.id("meeting_id")?, is_live })
        };
        rows.iter().map(read).collect::<Result<_>>().map(Some)
    }

    /// Takes these participants out of a session that is over. How many messages of theirs there were.
    async fn erase_from_session(&self, session: &SessionId, who: &HashSet<ParticipantId>) -> Result<u64> {
        let mut erasure = Erasure::new(who.iter().cloned());
        self.rewrite(session, &mut erasure).await?;
        let record = self.record(session).await?;
        let people = record
            .iter()
            .flat_map(|record| erasure.peers().filter_map(|peer| record.peers.get(peer)).map(|peer| PeerRow::of(record, peer)));
        let people: Vec<PeerRow> = people.collect();
        transaction!(self.db, |tx| {
            for PeerRow { peer, .. } in &people {
                for table in ["peer_quality", "peer_quality_blocks", "client_events"] {
                    let sql = format!("delete from {table} where session_id = $1 and peer_id = $2");
                    tx.run(built(sql), args![session, peer.as_str()]).await?;
                }
                transcripts::forget_peer(tx, session, peer).await?;
            }
            // Last: until then the session is among those that say something of them.
            peer_row::write(tx, &people.iter().collect::<Vec<_>>()).await
        })?;
        Ok(erasure.messages() as u64)
    }

    /// Writes the record of a session that is over anew, without what is to go.
    pub(crate) async fn rewrite(&self, session: &SessionId, erasure: &mut Erasure) -> Result<()> {
        let mut after = 0;
        loop {
            let events = self.events(session, after, MAX_EVENTS).await?;
            let Some(last) = events.last() else { return Ok(()) };
            after = last.seq;
            let rewritten: Vec<(u64, EventBody)> = events
                .iter()
                .filter_map(|event| Some((event.seq, erasure.of(&event.body).filter(|body| *body != event.body)?)))
                .collect();
            for rewritten in rewritten.chunks(EVENTS) {
                transaction!(self.db, |tx| {
                    for (seq, body) in rewritten {
                        let (kind, body) = record::encode(body);
                        let sql = "update session_events set kind = $3, body = $4 where session_id = $1 and seq = $2";
                        tx.run(sql, args![session, *seq, kind, &body]).await?;
                    }
                    Ok(())
                })?;
            }
        }
    }

    /// Ends the time of the chat's files of these participants; the sweep deletes them. How many there were.
    async fn erase_chat_files(&self, participants: &HashSet<ParticipantId>, now: Timestamp) -> Result<u64> {
        transaction!(self.db, |tx| {
            let mut files = 0;
            for participant in participants {
                let sql = "update chat_files set good_until_ms = $2, name = $3 where participant_id = $1 \
                           and (good_until_ms is null or good_until_ms > $2)";
                files += tx.run(sql, args![participant, now, ERASED]).await?;
            }
            Ok(files)
        })
    }

    /// Takes these people, connections of these sessions, out of what webhooks and feeds of the app have yet to tell or may tell
    /// again.
    async fn erase_from_deliveries(&self, app: &AppId, who: &HashSet<(SessionId, PeerId)>) -> Result<()> {
        let mut after = String::new();
        loop {
            let sql = "select id, event, notice from webhook_deliveries where id > $2 and event in ($3, $4) \
                       and webhook_id in (select id from webhooks where app_id = $1) order by id limit $5";
            let rows = self.db.all(sql, args![app, &after, notice::JOINED, notice::LEFT, DELIVERIES]).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.text("id")?;
            let mut rewritten = Vec::new();
            for row in &rows {
                // What cannot be read is told to nobody.
                let Some(mut notice) = notice::decode(&row.text("event")?, &row.text("notice")?) else { continue };
                let (News::Joined(visit) | News::Left(visit, _)) = &mut notice.news else { continue };
                if who.contains(&(notice.session.clone(), visit.peer.clone())) {
                    (visit.name, visit.custom_participant_id) = (ERASED.to_owned(), String::new());
                    rewritten.push((row.text("id")?, notice::encode(&notice)));
                }
            }
            transaction!(self.db, |tx| {
                for (id, notice) in &rewritten {
                    tx.run("update webhook_deliveries set notice = $2 where id = $1", args![id, notice]).await?;
                }
                Ok(())
            })?;
        }
    }
}
