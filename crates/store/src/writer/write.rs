//! One transaction of the writer: load what the batch names, decide, write.
//! Invariant: the rows decided upon are held until the commit, so a decision cannot be overtaken.
//! Where people are, the sums of days, and what webhooks are to be told are part of it: it is written if and only if the event is.

use std::collections::{BTreeSet, HashSet};

use salon_core::{MeetingId, SessionId, WebhookId};

use crate::append::{Append, SessionAppend};
use crate::chain;
use crate::engine::{Arg, Db, Tx, args, built, transaction};
use crate::error::{Error, Result, Rule};
use crate::list::search_text;
use crate::many::{chunks, select, tuples};
use crate::outbox::entries::{self, hooks_of};
use crate::record;
use crate::run_id::RunId;
use crate::writer::batch::{Begun, Plan, Stored, StoredSession, plan};
use crate::{day_sums, peer_row};

/// Writes what may be written of `appends`, and returns the outcome of each and whom it is news to; an error if nothing was
/// written.
pub(super) async fn transact(db: &Db, appends: &[Append]) -> Result<(Vec<Result<()>>, BTreeSet<WebhookId>)> {
    let mut lost = HashSet::new();
    loop {
        let mut lost_now = Vec::new();
        let outcome = transaction!(db, |tx| {
            lost_now.clear();
            let stored = load(db, tx, appends).await?;
            let plan = plan(stored, appends, &lost);
            lost_now = write(tx, &plan).await?;
            // Something was begun elsewhere since: what went with it is undone, and the rest is tried without it.
            if lost_now.is_empty() {
                Ok((plan.outcomes, plan.entries.into_iter().map(|entry| entry.webhook).collect()))
            } else {
                Err(Error::Conflict(Rule::LiveSessionExists))
            }
        });
        if lost_now.is_empty() {
            return outcome;
        }
        // Each round loses at least one more append, so there is a last round.
        lost.extend(lost_now);
    }
}

async fn load(db: &Db, tx: &mut Tx, appends: &[Append]) -> Result<Stored> {
    let mut stored = Stored::default();
    let (mut ids, mut meetings, mut runs) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for append in appends {
        for session in &append.sessions {
            ids.insert(&session.summary.session);
            if session.events.first().is_some_and(|event| event.seq == 1) {
                meetings.insert(&session.summary.meeting);
                runs.insert(&append.run);
            }
        }
    }
    // Held, so that a run whose node registers anew begins nothing that the new run would not find.
    let sql = |list: &str| format!("select name, run from nodes where run in ({list}){}", db.for_update());
    for row in select(tx, sql, &runs).await? {
        stored.nodes.insert(row.id("run")?, row.text("name")?);
    }
    // In one order everywhere, so that two transactions never wait for each other.
    let sql = |list: &str| {
        format!(
            "select id, owner_run, epoch, last_seq, ended_ms, \
             (select count(*) from webhooks w where w.app_id = sessions.app_id and w.enabled = true) as hooks \
             from sessions where id in ({list}) order by id{}",
            db.for_update()
        )
    };
    let mut unheard: HashSet<SessionId> = HashSet::new();
    for row in select(tx, sql, &ids).await? {
        let session = StoredSession {
            run: row.id("owner_run")?,
            epoch: row.int("epoch")?,
            last_seq: row.count("last_seq")?,
            ended: row.int_or_null("ended_ms")?.is_some(),
        };
        let id: SessionId = row.id("id")?;
        if row.int("hooks")? == 0 {
            unheard.insert(id.clone());
        }
        stored.sessions.insert(id, session);
    }
    let sql = |list: &str| format!("select id, meeting_id from sessions where meeting_id in ({list}) and ended_ms is null");
    for row in select(tx, sql, &meetings).await? {
        stored.live.insert(row.id::<MeetingId>("meeting_id")?, row.id("id")?);
    }
    let notices = appends.iter().flat_map(|append| &append.sessions).flat_map(|session| &session.notices);
    let apps: BTreeSet<_> = notices.filter(|notice| !unheard.contains(&notice.session)).map(|notice| &notice.app).collect();
    if !apps.is_empty() {
        stored.hooks = hooks_of(db, tx, &apps).await?;
    }
    for (index, append) in appends.iter().enumerate() {
        if is_stored(&stored, tx, append).await? {
            stored.repeats.insert(index);
        }
    }
    Ok(stored)
}

/// Whether the database has every event of `append` already, from an earlier try whose answer was lost.
async fn is_stored(stored: &Stored, tx: &mut Tx, append: &Append) -> Result<bool> {
    let mut any = false;
    for session in &append.sessions {
        let (Some(first), Some(last)) = (session.events.first(), session.events.last()) else { continue };
        let id = &session.summary.session;
        let ours = stored
            .sessions
            .get(id)
            .is_some_and(|stored| stored.run == append.run && stored.epoch == session.epoch && stored.last_seq >= last.seq);
        if !ours {
            return Ok(false);
        }
        let sql = "select at_ms, kind, body from session_events where session_id = $1 and seq between $2 and $3 \
                   order by seq";
        let rows = tx.all(sql, args![id, first.seq, last.seq]).await?;
        if rows.len() != session.events.len() {
            return Ok(false);
        }
        for (row, event) in rows.iter().zip(&session.events) {
            let (kind, body) = record::encode(&event.body);
            if row.time("at_ms")? != event.at || row.text("kind")? != kind || row.text("body")? != body {
                return Ok(false);
            }
        }
        any = true;
    }
    Ok(any)
}

/// Writes the plan. Returns the appends, by position, whose sessions could not begin because others had: then the
/// transaction must be undone.
async fn write(tx: &mut Tx, plan: &Plan<'_>) -> Result<Vec<usize>> {
    // Ends first: they make room for what begins.
    let changed: Vec<_> = plan.changed.values().collect();
    for rows in chunks(&changed) {
        let sql = format!(
            "update sessions as s set updated_ms = v.column4, ended_ms = v.column5, live = v.column6, \
             max_concurrent = v.column7, participants = v.column8, settled_ms = v.column9, \
             live_since_ms = v.column10, last_seq = v.column11, owner_seen_ms = null, \
             peers_seq = case when s.peers_seq = s.last_seq then v.column11 else s.peers_seq end from (values {}) as v \
             where s.id = v.column1 and s.owner_run = v.column2 and s.epoch = v.column3",
            tuples(rows.len(), 11)
        );
        let args = rows.iter().flat_map(|(run, append)| change_args(run, append)).collect();
        if tx.run(built(sql), args).await? != rows.len() as u64 {
            // The rows were held since they were checked, so this is not a lost race but a broken database.
            return Err(sqlx::Error::RowNotFound.into());
        }
    }
    let mut lost = Vec::new();
    for (index, begun) in &plan.begun {
        if !insert(tx, begun).await? {
            lost.push(*index);
        }
    }
    if !lost.is_empty() {
        return Ok(lost);
    }
    for rows in chunks(&plan.events) {
        let sql = format!("insert into session_events (session_id, seq, at_ms, kind, body) values {}", tuples(rows.len(), 5));
        let args = rows.iter().flat_map(|(session, event)| {
            let (kind, body) = record::encode(&event.body);
            args![*session, event.seq, event.at, kind, &body]
        });
        tx.run(built(sql), args.collect()).await?;
    }
    peer_row::write(tx, &plan.peers.values().copied().collect::<Vec<_>>()).await?;
    let ended = plan.ended.iter().map(|summary| (&summary.app, summary.created_at, summary.settled_ms));
    day_sums::add(tx, &ended.collect::<Vec<_>>()).await?;
    entries::insert(tx, &plan.entries).await?;
    chain::note(tx, &plan.acts).await?;
    Ok(lost)
}

fn change_args(run: &RunId, append: &SessionAppend) -> Vec<Arg> {
    let summary = &append.summary;
    args![
        &summary.session,
        run,
        append.epoch,
        summary.updated_at,
        summary.ended_at,
        summary.live,
        summary.max_concurrent,
        summary.participants,
        summary.settled_ms,
        summary.live_since_ms,
        last_seq(append),
    ]
}

/// Adds the row of a session that begins; false if its meeting has a live one, or its id is taken.
async fn insert(tx: &mut Tx, begun: &Begun<'_>) -> Result<bool> {
    let summary = &begun.last.summary;
    let sql = "insert into sessions (id, app_id, meeting_id, title, keep_alive_ms, started_ms, created_ms, \
               updated_ms, ended_ms, live, max_concurrent, participants, settled_ms, live_since_ms, owner_node, \
               owner_run, epoch, last_seq, search_text, parent_session_id, peers_seq) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $18) \
               on conflict do nothing";
    let found_by = search_text(&[&summary.title, summary.meeting.as_str(), summary.session.as_str()]);
    let row = args![
        &summary.session,
        &summary.app,
        &summary.meeting,
        &summary.title,
        summary.keep_alive_ms,
        summary.started_at,
        summary.created_at,
        summary.updated_at,
        summary.ended_at,
        summary.live,
        summary.max_concurrent,
        summary.participants,
        summary.settled_ms,
        summary.live_since_ms,
        &begun.node,
        begun.run,
        begun.last.epoch,
        last_seq(begun.last),
        &found_by,
        &summary.parent_session,
    ];
    Ok(tx.run(sql, row).await? == 1)
}

fn last_seq(append: &SessionAppend) -> u64 {
    append.events.last().map_or(0, |event| event.seq)
}
