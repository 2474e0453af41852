//! The audit log: what is noted with what, and that a chain that was touched does not verify.

use std::sync::Arc;

use salon_core::AccountId;
use salon_store::acting::{self, Act, Acting, By, Outcome};
use salon_store::{AuditFilter, Chain, Error, Page, Rule, Store};

use crate::bed::*;
use crate::rows::refused;
use crate::script::Script;

fn act(account: &str, what: &str) -> Act {
    Act {
        account: Some(id(account)),
        app: None,
        by: By::Operator,
        what: what.into(),
        subjects: vec![("meeting".into(), "m_1".into())],
        from: Some("192.0.2.1".into()),
        at: NOON,
        outcome: Outcome::Done,
    }
}

fn acting(what: &str) -> Arc<Acting> {
    Acting::new(act("account", what))
}

async fn noted(store: &Store, account: &str) -> Vec<String> {
    let filter = AuditFilter { page: Page { newest_first: false, ..Page::default() }, ..AuditFilter::default() };
    let listed = store.audit_log(&id(account), &filter).await.unwrap();
    assert_eq!(listed.total as usize, listed.items.len());
    listed.items.into_iter().map(|entry| entry.act.what).collect()
}

async fn verified(store: &Store) -> Chain {
    store.verify_audit_log(&id("account")).await.unwrap()
}

on_both_engines! {
    async fn an_act_is_noted_with_what_it_wrote_or_not_at_all(bed: Bed) {
        let store = &bed.store;
        acting("make").scope(store.create_app(&app("a", "First"), &[preset("host", "a", "host")])).await.unwrap();
        refused!(acting("make again").scope(store.create_app(&app("b", "First"), &[])).await, Error::Conflict(Rule::AppName));
        refused!(acting("of no app").scope(store.create_meeting(&meeting("m", "zzz", None))).await, Error::NotFound);
        let two = acting("two things");
        two.scope(async {
            acting::about("meeting", "m");
            acting::about("meeting", "m");
            store.create_meeting(&meeting("m", "a", None)).await.unwrap();
            acting::about("late", "x");
            store.create_participant(&participant("p", "m", "a", "host")).await.unwrap();
        }).await;
        assert!(two.is_settled());
        acting("nothing found").scope(store.edit_participant(&id("m"), &id("q"), Ok::<_, Error>)).await.unwrap_err();
        acting("never mind").scope(async {
            acting::never_mind();
            store.delete_participant(&id("m"), &id("p")).await.unwrap();
        }).await;
        acting("delete").scope(store.delete_preset(&id("a"), &id("host"))).await.unwrap();
        // Of nobody.
        store.create_meeting(&meeting("n", "a", None)).await.unwrap();
        assert_eq!(noted(store, "account").await, ["make", "two things", "delete"]);
        let entries = store.audit_log(&id("account"), &AuditFilter::default()).await.unwrap().items;
        let subjects = [("meeting", "m_1"), ("meeting", "m")].map(|(kind, id)| (kind.to_owned(), id.to_owned()));
        assert_eq!(entries[1].act, Act { subjects: subjects.into(), ..act("account", "two things") });
        assert!(matches!(verified(store).await, Chain::Whole { entries: 3, .. }));
    }

    async fn an_act_in_a_session_is_noted_with_its_events(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        let run = bed.run("node", "r1").await;
        let mut script = Script::start("s", "m");
        let act = Act { account: None, app: Some(id("a")), ..act("x", "kick") };
        let append = salon_store::Append { acts: vec![act.clone(), act.clone()], ..script.append(&run) };
        store.append(append.clone()).await.unwrap();
        // The same again, because its answer was lost, is one; what is refused is none; of an app that is gone, none.
        store.append(append).await.unwrap();
        let stranger = salon_store::RunId::new("r2");
        let late = salon_store::Append { acts: vec![act.clone()], ..Script::start("t", "n").append(&stranger) };
        refused!(store.append(late).await, Error::NotOwner);
        store.note_act(&Act { account: None, app: Some(id("gone")), ..act }).await.unwrap();
        assert_eq!(noted(store, "account").await, ["kick", "kick"]);
        assert!(matches!(verified(store).await, Chain::Whole { entries: 2, .. }));
    }

    async fn many_at_once_are_one_chain(bed: Bed) {
        let mut tasks = Vec::new();
        for n in 0..4 {
            let store = bed.other().await;
            tasks.push(tokio::spawn(async move {
                for m in 0..10 {
                    store.note_act(&act(if m % 2 == 0 { "account" } else { "other" }, &format!("{n}-{m}"))).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert!(matches!(verified(&bed.store).await, Chain::Whole { entries: 20, .. }));
        assert_eq!(bed.store.audited_accounts().await.unwrap(), [id::<AccountId>("account"), id("other")]);
    }

    async fn what_was_touched_is_found(bed: Bed) {
        let store = &bed.store;
        for n in 1..=5 {
            store.note_act(&act("account", &format!("act {n}"))).await.unwrap();
        }
        store.note_act(&act("other", "act 1")).await.unwrap();
        bed.raw("create table kept as select * from audit_log").await;
        bed.raw("create table kept_heads as select * from audit_heads").await;
        let changed = [
            ("update audit_log set what = 'act 9' where number = 3", 3),
            ("update audit_log set by_kind = 'salon' where number = 3", 3),
            ("update audit_log set by_kind = 'nobody' where number = 3", 3),
            ("update audit_log set subjects = '[]' where number = 2", 2),
            ("update audit_log set from_address = null where number = 4", 4),
            ("update audit_log set at_ms = at_ms + 1 where number = 5", 5),
            ("update audit_log set outcome = 'refused' where number = 1", 1),
            ("delete from audit_log where number = 1", 1),
            ("delete from audit_log where number = 3", 3),
            ("delete from audit_log where number = 5", 5),
            ("delete from audit_log", 1),
            ("update audit_heads set number = 4", 5),
            ("delete from audit_heads", 5),
            // Two of them the other way round.
            (
                "update audit_log set number = 13 where number = 3; update audit_log set number = 3 where number = 4; \
                 update audit_log set number = 4 where number = 13",
                3,
            ),
        ];
        for (touch, first) in changed {
            bed.raw(touch).await;
            match verified(store).await {
                Chain::Broken { at, .. } => assert_eq!(at, first, "{touch}"),
                whole => panic!("{touch}: {whole:?}"),
            }
            bed.raw("delete from audit_log; delete from audit_heads").await;
            bed.raw("insert into audit_log select * from kept; insert into audit_heads select * from kept_heads").await;
            assert!(matches!(verified(store).await, Chain::Whole { entries: 5, .. }), "{touch}");
        }
    }

    async fn entries_are_filtered(bed: Bed) {
        let store = &bed.store;
        let base = act("account", "one");
        let key = By::Key(id("key_1"));
        let acts = [
            Act { app: Some(id("a")), by: key.clone(), ..base.clone() },
            Act { what: "two".into(), outcome: Outcome::Refused, at: NOON.plus_ms(10), ..base.clone() },
            Act { what: "three".into(), subjects: vec![("meeting".into(), "mx1".into())], at: NOON.plus_ms(20), ..base.clone() },
        ];
        for act in &acts {
            store.note_act(act).await.unwrap();
        }
        let all = AuditFilter::default();
        let cases = [
            (all.clone(), vec!["three", "two", "one"]),
            (AuditFilter { app: Some(id("a")), ..all.clone() }, vec!["one"]),
            (AuditFilter { by: Some("key_1".into()), ..all.clone() }, vec!["one"]),
            (AuditFilter { what: Some("two".into()), ..all.clone() }, vec!["two"]),
            (AuditFilter { subject: Some("m_1".into()), ..all.clone() }, vec!["two", "one"]),
            (AuditFilter { outcome: Some(Outcome::Refused), ..all.clone() }, vec!["two"]),
            (AuditFilter { from: Some(NOON.plus_ms(10)), to: Some(NOON.plus_ms(19)), ..all.clone() }, vec!["two"]),
            (AuditFilter { page: Page { offset: 1, limit: 1, ..Page::default() }, ..all.clone() }, vec!["two"]),
        ];
        for (filter, expected) in cases {
            let found = store.audit_log(&id("account"), &filter).await.unwrap().items;
            assert_eq!(found.iter().map(|entry| entry.act.what.as_str()).collect::<Vec<_>>(), expected, "{filter:?}");
        }
    }
}
