//! Tests of the codec: what ldap-utils 2.5.13 sends, and invalid messages.

use hallpass_core::Person;

use super::ber::{Reader, Writer};
use super::entry::Entry;
use super::filter::{Assertion, Filter, Pieces, Unreadable};
use super::message::{Code, Message, Operation, Refused, Scope, disconnection, response};
use super::name::Tree;
use super::paging::PageRequest;

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let pairs = hexadecimal.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn decoded(hexadecimal: &str) -> (i32, Result<Operation, Refused>) {
    let Message { id, operation } = Message::decode(&bytes(hexadecimal)).unwrap();
    (id, operation)
}

fn equal(attribute: &str, value: &str) -> Filter {
    Filter::Equal(Assertion {
        attribute: attribute.to_owned(),
        value: value.as_bytes().to_vec(),
    })
}

#[test]
fn what_openldaps_tools_send_is_decoded() {
    let (id, operation) = decoded(
        "3037020101603202010304257569643d616c6963652c6f753d70656f706c652c64633d6578616d706c652c\
         64633d6f7267800667656865696d",
    );
    let Ok(Operation::Bind(bind)) = operation else {
        panic!("{operation:?}");
    };
    assert_eq!((id, bind.version), (1, 3));
    assert_eq!(bind.dn, "uid=alice,ou=people,dc=example,dc=org");
    assert_eq!(bind.password.unwrap().expose(), b"geheim");

    let (id, operation) = decoded(
        "30819a0201026370041164633d6578616d706c652c64633d6f72670a01020a01000201000201000101\
         00a042a31c040b6f626a656374436c617373040d696e65744f7267506572736f6ea122a30d04037569\
         640406616c2a696365a41104046d61696c30098001618101628201633008040375696404012ba023\
         30210416312e322e3834302e3131333535362e312e342e333139040730050201050400",
    );
    let Ok(Operation::Search(search)) = operation else {
        panic!("{operation:?}");
    };
    assert_eq!((id, search.base.as_str()), (2, "dc=example,dc=org"));
    assert_eq!(
        (search.scope, search.size_limit, search.time_limit),
        (Scope::Subtree, 0, 0)
    );
    let pieces = Pieces {
        first: Some(b"a".to_vec()),
        within: vec![b"b".to_vec()],
        last: Some(b"c".to_vec()),
    };
    let either = Filter::Or(vec![
        equal("uid", "al*ice"),
        Filter::Substrings("mail".to_owned(), pieces),
    ]);
    let both = Filter::And(vec![equal("objectClass", "inetOrgPerson"), either]);
    assert_eq!(search.filter, both);
    let first = PageRequest {
        size: 5,
        cookie: Vec::new(),
    };
    assert_eq!(search.page, Some(first));

    let (_, operation) = decoded("301c0201026e170404636e3d61300f04066d656d62657204057569643d62");
    let Ok(Operation::Compare(compare)) = operation else {
        panic!("{operation:?}");
    };
    assert_eq!(
        (compare.dn.as_str(), compare.assertion.value),
        ("cn=a", b"uid=b".to_vec())
    );

    let (_, operation) =
        decoded("301e02010277198017312e332e362e312e342e312e343230332e312e31312e33");
    assert!(matches!(operation, Ok(Operation::Extended(oid)) if oid == super::message::WHO_AM_I));
    assert!(matches!(decoded("30050201034200").1, Ok(Operation::Unbind)));
    assert!(matches!(
        decoded("300602010350010a").1,
        Ok(Operation::Abandon(10))
    ));
    let (_, operation) = decoded(
        "3035020102633004000a01020a0100020100020100010100a91b810e6361736545786163744d61746368\
         82037569648301788401ff3000",
    );
    assert!(matches!(operation, Ok(Operation::Search(it)) if it.filter == Filter::Undefined));
}

#[test]
fn what_is_not_carried_out_has_the_response_of_its_kind() {
    for (sent, tag, code) in [
        // Delete, and modify, add and rename of nothing.
        ("30090201024a04636e3d61", 0x6b, Code::UnwillingToPerform),
        ("30050201026600", 0x67, Code::UnwillingToPerform),
        ("30050201026800", 0x69, Code::UnwillingToPerform),
        ("30050201026c00", 0x6d, Code::UnwillingToPerform),
        ("30050201026000", 0x61, Code::ProtocolError),
        ("30050201026300", 0x65, Code::ProtocolError),
        ("30050201026e00", 0x6f, Code::ProtocolError),
        ("30050201027700", 0x78, Code::ProtocolError),
        // A search with a critical control that is not known: the last arc differs from that of paged
        // results.
        (
            "304b020102631e04000a01000a0100020100020100010100a209a5070402636e0401783000a0263024\
             0416312e322e3834302e3131333535362e312e342e3331380101ff040730050201050400",
            0x65,
            Code::UnavailableCriticalExtension,
        ),
    ] {
        let (id, operation) = decoded(sent);
        let refused = operation.unwrap_err();
        assert_eq!(
            (id, refused.response, refused.code),
            (2, tag, code),
            "{sent}"
        );
    }
}

#[test]
fn what_is_no_message_ends_the_connection() {
    for sent in [
        "",
        "3000",
        "3003020101",
        "30050201ff4200",
        "3009020500ffffffff4200",
        "30050201014100",
        "30050201015f00",
        "3006020101420001",
        "300502010142000000",
        "0500",
    ] {
        assert!(Message::decode(&bytes(sent)).is_err(), "{sent}");
    }
}

#[test]
fn a_filter_is_neither_too_deep_nor_too_wide() {
    let mut filter = b"\x87\x03uid".to_vec();
    for depth in 1..2000 {
        let mut writer = Writer::default();
        writer.value(0xa2, &filter);
        filter = writer.into_bytes();
        let read = Filter::read(&mut Reader::new(&filter));
        assert_eq!(read.is_ok(), depth < 32, "{depth}");
    }
    let wide = b"\x87\x03uid".repeat(512);
    let mut writer = Writer::default();
    writer.value(0xa1, &wide);
    let read = Filter::read(&mut Reader::new(&writer.into_bytes()));
    assert_eq!(read, Err(Unreadable::TooLarge));
}

#[test]
fn filters_have_three_values() {
    let tree = Tree::new("dc=example,dc=org").unwrap();
    let entry = Entry::person(
        &tree,
        &Person {
            name: "alice".to_owned(),
            id: "1".to_owned(),
            email: String::new(),
            full_name: String::new(),
            groups: Vec::new(),
        },
    );
    let (yes, no) = (|| equal("uid", "ALICE"), || equal("uid", "bob"));
    let unknown = || equal("sAMAccountName", "alice");
    let not = |filter| Filter::Not(Box::new(filter));
    for (filter, expected) in [
        (yes(), Some(true)),
        (no(), Some(false)),
        (unknown(), None),
        // A known attribute without a value.
        (equal("mail", "x"), Some(false)),
        (Filter::Present("mail".into()), Some(false)),
        (Filter::Present("nothing".into()), None),
        (equal("uid", ""), None),
        (equal("memberOf", "x"), None),
        (not(yes()), Some(false)),
        (not(no()), Some(true)),
        (not(unknown()), None),
        (Filter::And(vec![]), Some(true)),
        (Filter::Or(vec![]), Some(false)),
        (Filter::And(vec![yes(), unknown()]), None),
        (Filter::And(vec![unknown(), no()]), Some(false)),
        (Filter::Or(vec![unknown(), yes()]), Some(true)),
        (Filter::Or(vec![unknown(), no()]), None),
        (not(Filter::And(vec![unknown(), no()])), Some(true)),
    ] {
        assert_eq!(filter.matches(&entry), expected, "{filter:?}");
    }
}

#[test]
fn responses_are_as_rfc_4511_has_them() {
    assert_eq!(
        response(1, 0x61, Code::Success, "", ""),
        bytes("300c02010161070a010004000400")
    );
    assert_eq!(
        disconnection(Code::Unavailable, ""),
        bytes("3024020100781f0a0134040004008a16312e332e362e312e342e312e313436362e3230303336")
    );
}
