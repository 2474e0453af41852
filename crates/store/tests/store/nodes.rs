//! Who owns a session, who may take it over, and that a former owner is shut out.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use salon_store::{Adoptable, Error, LastSeen, NODE_DEAD_MS, Rule, RunId, Taken, VOUCHED_MS};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::bed::*;
use crate::rows::refused;
use crate::script::Script;

on_both_engines! {
    async fn what_time_it_is_for_all_nodes_is_told_where_there_may_be_several(bed: Bed) {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let told = bed.store.time().await.unwrap();
        assert_eq!(told.is_none(), bed.is_sqlite());
        assert!(told.is_none_or(|time| (time.0 - wall).abs() < 60_000), "{told:?}");
    }

    async fn a_new_run_of_a_node_adopts_what_the_former_left(bed: Bed) {
        let store = &bed.store;
        let old = bed.run("n1", "r1").await;
        let mut talk = Script::start("s", "m");
        store.append(talk.append(&old)).await.unwrap();
        store.append(Script::start("over", "m2").end(1).append(&old)).await.unwrap();
        assert_eq!(store.live_sessions_to_adopt(&old, NOON, false).await.unwrap(), []);
        store.heartbeat(&old, NOON.plus_ms(2_000)).await.unwrap();
        let seen = store.session_row(&id("a"), &id("s")).await.unwrap().unwrap().owner_seen_at;
        let vouched = if bed.is_sqlite() { 0 } else { VOUCHED_MS };
        assert!((2_000..=2_000 + vouched).contains(&seen.since(NOON)), "by the clock of the run, whichever clock nodes share");

        let new = bed.run("n1", "r2").await;
        let found = store.live_sessions_to_adopt(&new, NOON, false).await.unwrap();
        let [expected] = found.try_into().expect("one is to be adopted");
        let since = expected.owner_seen_at.since(seen);
        assert_eq!(expected, Adoptable { session: id("s"), meeting: id("m"), epoch: 1, owner_seen_at: seen.plus_ms(since) });
        assert!(since <= vouched);
        // A run that ends before it adopted anything leaves the memory of the first one as it is.
        store.heartbeat(&new, NOON.plus_ms(50_000)).await.unwrap();
        let newest = bed.run("n1", "r3").await;
        assert_eq!(store.live_sessions_to_adopt(&newest, NOON, false).await.unwrap(), std::slice::from_ref(&expected));

        assert_eq!(store.take_over(&id("s"), 1, &newest, true, LastSeen::WithOwner).await.unwrap().epoch, 2);
        assert_eq!(store.live_sessions_to_adopt(&newest, NOON, false).await.unwrap(), []);
        let row = store.live_session_of(&id("m")).await.unwrap().unwrap();
        assert_eq!((row.owner_node.as_str(), row.owner_run, row.epoch), ("n1", newest.clone(), 2));
        assert_eq!(row.owner_seen_at, expected.owner_seen_at, "until it writes something");
    }

    async fn a_run_that_leaves_frees_its_sessions_at_once(bed: Bed) {
        let store = &bed.store;
        let (leaver, other) = (bed.run("n1", "r1").await, bed.run("n2", "r2").await);
        let mut talk = Script::start("s", "m");
        store.append(talk.append(&leaver)).await.unwrap();
        store.append(Script::start("over", "m2").end(1).append(&leaver)).await.unwrap();
        assert_eq!(store.live_meetings_of(&leaver).await.unwrap(), [id("m")]);
        assert_eq!(store.live_meetings_of(&other).await.unwrap(), []);

        store.leave_node(&leaver, NOON.plus_ms(5_000)).await.unwrap();
        refused!(store.heartbeat(&leaver, NOON).await, Error::NotOwner);
        let expected = Adoptable { session: id("s"), meeting: id("m"), epoch: 1, owner_seen_at: NOON.plus_ms(5_000) };
        assert_eq!(store.live_sessions_to_adopt(&other, NOON, false).await.unwrap(), [expected]);
        assert_eq!(store.take_over(&id("s"), 1, &other, true, LastSeen::WithOwner).await.unwrap().epoch, 2);
        assert_eq!(store.live_meetings_of(&other).await.unwrap(), [id("m")]);
        refused!(store.append(talk.join(1, "ann").append(&leaver)).await, Error::NotOwner);
    }

    /// The one that took it over may die before it did anything, or never hear that it has it.
    async fn until_a_new_owner_writes_the_session_remembers_when_its_people_were_seen(bed: Bed) {
        let store = &bed.store;
        let new = bed.run("n1", "r1").await;
        let mut talk = Script::start("s", "m");
        store.append(talk.append(&new)).await.unwrap();
        let newest = bed.run("n1", "r3").await;
        let seen = NOON.plus_ms(7_000);
        assert_eq!(store.take_over(&id("s"), 1, &newest, true, LastSeen::At(seen)).await.unwrap().epoch, 2);
        let remembered = async || store.live_session_of(&id("m")).await.unwrap().unwrap().owner_seen_at;
        assert_eq!(remembered().await, seen);
        let heir = bed.run("n1", "r4").await;
        assert_eq!(remembered().await, seen, "nor is it forgotten when the name begins anew");
        assert_eq!(store.take_over(&id("s"), 2, &heir, true, LastSeen::At(seen)).await.unwrap().epoch, 3);
        talk.join(1, "ann");
        let mut goes_on = talk.append(&heir);
        goes_on.sessions[0].epoch = 3;
        store.append(goes_on).await.unwrap();
        assert_ne!(remembered().await, seen, "from here on its own row says it");
    }

    async fn a_former_owner_is_shut_out(bed: Bed) {
        let store = &bed.store;
        let old = bed.run("n1", "r1").await;
        let mut talk = Script::start("s", "m");
        store.append(talk.append(&old)).await.unwrap();
        talk.join(1, "ann");
        let late = talk.append(&old);
        let new = bed.run("n1", "r2").await;
        refused!(store.heartbeat(&old, NOON).await, Error::NotOwner);
        assert_eq!(store.take_over(&id("s"), 1, &new, true, LastSeen::WithOwner).await.unwrap().epoch, 2);
        refused!(store.append(late.clone()).await, Error::NotOwner);
        refused!(store.take_over(&id("s"), 1, &new, true, LastSeen::WithOwner).await, Error::NotOwner);
        refused!(store.take_over(&id("s"), 2, &old, true, LastSeen::WithOwner).await, Error::NotOwner);

        let mut mine = late.clone();
        mine.run = new.clone();
        refused!(store.append(mine.clone()).await, Error::NotOwner);
        mine.sessions[0].epoch = 2;
        store.append(mine).await.unwrap();
        refused!(store.append(late).await, Error::NotOwner);

        // A run shuts out a task of its own in the same way.
        assert_eq!(store.take_over(&id("s"), 2, &new, true, LastSeen::WithOwner).await.unwrap().epoch, 3);
        talk.epoch = 2;
        refused!(store.append(talk.join(2, "bob").append(&new)).await, Error::NotOwner);
    }

    async fn there_must_be_something_to_take_over(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        store.append(Script::start("s", "m").end(1).append(&run)).await.unwrap();
        refused!(store.take_over(&id("s"), 1, &run, true, LastSeen::WithOwner).await, Error::Conflict(Rule::SessionEnded));
        refused!(store.take_over(&id("none"), 1, &run, true, LastSeen::WithOwner).await, Error::NotFound);
        refused!(store.take_over(&id("s"), 1, &RunId::new("nobody"), true, LastSeen::WithOwner).await, Error::NotOwner);
    }

    async fn another_node_waits_until_the_owner_is_dead(bed: Bed) {
        let store = &bed.store;
        let owner = bed.run("n1", "r1").await;
        let other = bed.run("n2", "r2").await;
        let mut talk = Script::start("s", "m");
        store.append(talk.append(&owner)).await.unwrap();
        if bed.is_sqlite() {
            // Only one process has the file, so every other run is over.
            assert_eq!(store.live_sessions_to_adopt(&other, NOON, false).await.unwrap().len(), 1);
            assert_eq!(store.take_over(&id("s"), 1, &other, true, LastSeen::WithOwner).await.unwrap().epoch, 2);
            return;
        }
        // The caller's clock has no say where nodes share one.
        store.heartbeat(&owner, NOON).await.unwrap();
        let later = NOON.plus_ms(1_000_000 * NODE_DEAD_MS);
        assert_eq!(store.live_sessions_to_adopt(&other, later, false).await.unwrap(), []);
        refused!(store.take_over(&id("s"), 1, &other, true, LastSeen::WithOwner).await, Error::Conflict(Rule::OwnerAlive));

        bed.let_die("n1").await;
        assert_eq!(store.live_sessions_to_adopt(&other, NOON, false).await.unwrap().len(), 1);
        store.heartbeat(&owner, NOON).await.unwrap();
        refused!(store.take_over(&id("s"), 1, &other, true, LastSeen::WithOwner).await, Error::Conflict(Rule::OwnerAlive));
        bed.let_die("n1").await;
        refused!(store.take_over(&id("s"), 1, &other, false, LastSeen::WithOwner).await, Error::Conflict(Rule::OwnerAlive));
        assert_eq!(store.take_over(&id("s"), 1, &other, true, LastSeen::WithOwner).await.unwrap().epoch, 2);
        // The owner was only slow. It is told at its next write.
        refused!(store.append(talk.join(1, "ann").append(&owner)).await, Error::NotOwner);
        store.heartbeat(&owner, NOON).await.unwrap();
    }

    async fn of_many_who_take_over_one_succeeds(bed: Bed) {
        let owner = bed.run("n0", "r0").await;
        bed.store.append(Script::start("s", "m").append(&owner)).await.unwrap();
        bed.let_die("n0").await;
        let mut tasks = Vec::new();
        for n in 1..=8 {
            let run = bed.run(&format!("n{n}"), &format!("r{n}")).await;
            let store = bed.other().await;
            tasks.push(tokio::spawn(async move { (run.clone(), store.take_over(&id("s"), 1, &run, true, LastSeen::WithOwner).await) }));
        }
        let mut winners = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                (run, Ok(taken)) => winners.push((run, taken.epoch)),
                (_, refusal) => { refused!(refusal, Error::NotOwner); }
            }
        }
        assert_eq!(winners.len(), 1);
        let row = bed.store.live_session_of(&id("m")).await.unwrap().unwrap();
        assert_eq!(winners, [(row.owner_run, row.epoch)]);
    }

    /// Whatever comes first, the take-over or the old owner's events: the new owner's fold has all that was accepted.
    async fn nothing_accepted_is_lost_in_a_takeover(bed: Bed) {
        for round in 0..10 {
            let session = format!("s{round}");
            let owner = bed.run("n1", &format!("old{round}")).await;
            let heir = bed.other().await;
            let mut talk = Script::start(&session, &session);
            bed.store.append(talk.append(&owner)).await.unwrap();
            let store = bed.store.clone();
            let writing = tokio::spawn(async move {
                let mut accepted = 1;
                for n in 1..100 {
                    match store.append(talk.join(n, &format!("p{n}")).append(&owner)).await {
                        Ok(()) => accepted += 1,
                        Err(Error::NotOwner) => return accepted,
                        Err(err) => panic!("{err}"),
                    }
                }
                accepted
            });
            let new = RunId::new(format!("new{round}"));
            heir.register_node("n1", &new, NOON).await.unwrap();
            heir.take_over(&id(&session), 1, &new, true, LastSeen::WithOwner).await.unwrap();
            let seq = heir.record(&id(&session)).await.unwrap().unwrap().seq;
            assert_eq!(writing.await.unwrap(), seq);
        }
    }
}

/// A connection beside those of stores.
async fn aside(bed: &Bed) -> PgConnection {
    PgConnection::connect(&bed.url).await.expect("the server answers")
}

async fn somebody_waits_for_a_row(aside: &mut PgConnection) {
    let sql = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while aside.fetch_optional(sql).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}

/// The store is slow now and then: what was looked at is old when a takeover is let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waited_for_a_session_knows_of_all_that_its_owner_told_meanwhile() {
    let Some(bed) = Bed::postgres().await else { return };
    let (owner, other) = (bed.run("n1", "r1").await, bed.run("n2", "r2").await);
    bed.store.append(Script::start("s", "m").append(&owner)).await.unwrap();
    let (mut holder, mut looker) = (aside(&bed).await, aside(&bed).await);
    holder.execute("begin").await.unwrap();
    holder.execute("select 1 from nodes where name = 'n1' for update").await.unwrap();
    let store = bed.other().await;
    let taking = tokio::spawn(async move { store.take_over(&id("s"), 1, &other, true, LastSeen::WithOwner).await });
    somebody_waits_for_a_row(&mut looker).await;
    let told = NOON.plus_ms(7_000);
    let sql = format!("update nodes set own_ms = {}, seen_ms = 1000 where name = 'n1'", told.0);
    holder.execute(AssertSqlSafe(sql)).await.unwrap();
    holder.execute("commit").await.unwrap();
    let taken = taking.await.unwrap().unwrap();
    assert_eq!(taken, Taken { epoch: 2, owner_seen_at: told.plus_ms(VOUCHED_MS) });
}

/// A machine that is suspended, or not reached any more, keeps nobody from going on with what it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_still_in_the_middle_of_a_transaction_holds_nothing_for_long() {
    let Some(bed) = Bed::postgres().await else { return };
    let (owner, other) = (bed.run("n1", "r1").await, bed.run("n2", "r2").await);
    bed.store.append(Script::start("s", "m").append(&owner)).await.unwrap();
    let mut looker = aside(&bed).await;
    let (session, store) = (id("s"), bed.other().await);
    let mut taking = Box::pin(bed.store.take_over(&session, 1, &owner, true, LastSeen::WithOwner));
    let free = "select 1 from sessions where id = 's' for update skip locked";
    while looker.fetch_optional(free).await.unwrap().is_some() {
        let done = poll_fn(|context| Poll::Ready(taking.as_mut().poll(context).is_ready())).await;
        assert!(!done, "it stands still before it is done");
    }
    bed.let_die("n1").await;
    let taken = tokio::time::timeout(Duration::from_secs(5), store.take_over(&session, 1, &other, true, LastSeen::WithOwner));
    assert_eq!(taken.await.expect("it is let in").unwrap().epoch, 2);
    assert!(taking.await.is_err(), "it is not the one any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_becomes_another_program_is_given_the_time_to() {
    let Some(bed) = Bed::postgres().await else { return };
    let (owner, other) = (bed.run("n1", "r1").await, bed.run("n2", "r2").await);
    bed.store.append(Script::start("s", "m").append(&owner)).await.unwrap();
    bed.store.hand_over_node(&owner, NOON).await.unwrap();
    // One that was under way.
    bed.store.heartbeat(&owner, NOON).await.unwrap();
    let passes = async |ms: i64| bed.raw(&format!("update nodes set seen_ms = seen_ms - {ms} where name = 'n1'")).await;
    passes(NODE_DEAD_MS + 1_500).await;
    assert!(bed.store.living_nodes(NOON).await.unwrap().contains("n1"));
    assert_eq!(bed.store.live_sessions_to_adopt(&other, NOON, true).await.unwrap(), []);
    refused!(bed.store.take_over(&id("s"), 1, &other, true, LastSeen::WithOwner).await, Error::Conflict(Rule::OwnerAlive));
    passes(NODE_DEAD_MS + 1_000).await;
    assert_eq!(bed.store.take_over(&id("s"), 1, &other, true, LastSeen::WithOwner).await.unwrap().epoch, 2);
    let next = bed.run("n1", "r3").await;
    passes(NODE_DEAD_MS + 1).await;
    assert!(!bed.store.living_nodes(NOON).await.unwrap().contains("n1"), "as any other from then on");
    bed.store.heartbeat(&next, NOON).await.unwrap();
}
