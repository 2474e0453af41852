//! API keys and settings.

use salon_core::{Reach, Scope};
use salon_store::{ApiKey, Error, Rule, USED_EVERY_MS};

use crate::bed::*;
use crate::rows::refused;

/// A key without limits, whose hash is this many times this byte.
pub fn plain(byte: u8, label: &str) -> ApiKey {
    ApiKey {
        id: id(&format!("key-{byte}-{label}")),
        hash: [byte; 32],
        account: id("account"),
        email: Some("ann@example.org".into()),
        label: label.into(),
        reach: Reach::FULL,
        created_at: NOON,
        used_at: None,
        former: None,
    }
}

on_both_engines! {
    async fn keys_are_found_by_hash_until_revoked(bed: Bed) {
        let store = &bed.store;
        let (one, mut two) = (plain(1, "one"), plain(2, "two"));
        (two.email, two.created_at) = (None, NOON.plus_ms(-1));
        store.insert_api_key(&one).await.unwrap();
        store.insert_api_key(&two).await.unwrap();
        store.insert_api_key(&plain(1, "again")).await.unwrap();
        assert_eq!(store.api_key(&one.hash).await.unwrap(), Some(one.clone()));
        assert_eq!(store.api_key(&[9; 32]).await.unwrap(), None);
        assert_eq!(store.api_keys(&id("account")).await.unwrap(), [two.clone(), one.clone()]);
        assert_eq!(store.api_keys(&id("other")).await.unwrap(), []);
        store.revoke_api_key(&one.hash).await.unwrap();
        assert_eq!(store.api_key(&one.hash).await.unwrap(), None);
        refused!(store.revoke_api_key(&one.hash).await, Error::NotFound);
    }

    async fn a_key_is_changed_as_one_and_found_by_its_former_secret_for_a_while(bed: Bed) {
        let store = &bed.store;
        let reach = Reach { scope: Scope::Read, app: Some(id("a")), until: Some(NOON.plus_ms(9_000)) };
        let key = ApiKey { reach, ..plain(1, "one") };
        assert!(store.create_api_key(&key, 2).await.unwrap());
        assert_eq!(store.api_key(&key.hash).await.unwrap(), Some(key.clone()));
        refused!(store.create_api_key(&key, 2).await.map(drop), Error::Conflict(Rule::IdTaken));
        assert!(store.create_api_key(&plain(2, "two"), 2).await.unwrap());
        assert!(!store.create_api_key(&plain(3, "three"), 2).await.unwrap());

        let former = Some((key.hash, NOON.plus_ms(5_000)));
        let rotated = ApiKey { hash: [4; 32], former, label: "new".into(), ..key.clone() };
        let change = |_: ApiKey| Ok::<_, Error>(rotated.clone());
        store.edit_api_key(&id("account"), &key.id, change).await.unwrap();
        assert_eq!(store.api_key(&[4; 32]).await.unwrap(), Some(rotated.clone()));
        let found = store.api_key(&key.hash).await.unwrap().unwrap();
        assert_eq!(found.reach.until, Some(NOON.plus_ms(5_000)), "by its former secret no longer than that");
        refused!(store.edit_api_key(&id("other"), &key.id, change).await.map(drop), Error::NotFound);
        refused!(store.edit_api_key(&id("account"), &id("nobody"), change).await.map(drop), Error::NotFound);
        let no = |_: ApiKey| Err::<ApiKey, _>(Error::NotOwner);
        refused!(store.edit_api_key(&id("account"), &key.id, no).await.map(drop), Error::NotOwner);

        refused!(store.delete_api_key(&id("other"), &key.id).await.map(drop), Error::NotFound);
        assert_eq!(store.delete_api_key(&id("account"), &key.id).await.unwrap(), rotated);
        assert_eq!(store.api_key(&[4; 32]).await.unwrap(), None);
        assert_eq!(store.api_key(&key.hash).await.unwrap(), None);
    }

    async fn a_use_is_noted_once_an_hour(bed: Bed) {
        let store = &bed.store;
        let key = plain(1, "one");
        store.insert_api_key(&key).await.unwrap();
        let used = async || store.api_key(&key.hash).await.unwrap().unwrap().used_at;
        for (after, noted) in [(0, 0), (USED_EVERY_MS - 1, 0), (USED_EVERY_MS, USED_EVERY_MS), (5, USED_EVERY_MS)] {
            store.api_key_used(&key, NOON.plus_ms(after)).await.unwrap();
            assert_eq!(used().await, Some(NOON.plus_ms(noted)), "{after}");
        }
    }

    async fn keys_from_before_there_were_ids_have_all_rights_and_an_id(bed: Bed) {
        let hash = "abcdef0123456789".repeat(4);
        let hash = if bed.is_sqlite() { format!("x'{hash}'") } else { format!("'\\x{hash}'") };
        let row = format!("insert into api_keys (hash, account_id, label, created_ms) values ({hash}, 'account', 'old', 1)");
        bed.raw(&row).await;
        let keys = bed.store.api_keys(&id("account")).await.unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!((&keys[0].reach, keys[0].id.as_str()), (&Reach::FULL, "abcdef01-2345-6789-abcd-ef0123456789"));
        let label = |key: ApiKey| Ok::<_, Error>(ApiKey { label: "kept".into(), ..key });
        bed.store.edit_api_key(&id("account"), &keys[0].id, label).await.unwrap();
        assert_eq!(bed.store.api_keys(&id("account")).await.unwrap()[0].id, keys[0].id, "it stays the same");
    }

    async fn a_key_printed_by_accident_tells_nothing(bed: Bed) {
        drop(bed);
        let printed = format!("{:?}", plain(171, "one"));
        assert_eq!(printed, r#"ApiKey { account: account, label: "one", .. }"#);
    }

    async fn the_first_value_of_a_setting_wins(bed: Bed) {
        let mut tasks = Vec::new();
        for n in 0..10 {
            let store = bed.other().await;
            tasks.push(tokio::spawn(async move { store.setting_or_insert("secret", &format!("s{n}")).await.unwrap() }));
        }
        let mut values = Vec::new();
        for task in tasks {
            values.push(task.await.unwrap());
        }
        values.dedup();
        assert_eq!(values.len(), 1, "{values:?}");
        assert_eq!(bed.store.setting_or_insert("other", "x").await.unwrap(), "x");
    }
}
