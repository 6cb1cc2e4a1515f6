//! Types of the user's own: enums, composites, domains, and arrays of them.
//!
//! Diesel asks for their numbers while it takes a query apart. Those differ from cluster to
//! cluster, and there is no connection yet to ask on; so stand-ins are given, and replaced by the
//! numbers when there is one. This is diesel-async's own way, which only knows its own queries.

use std::collections::HashMap;

use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata};
use diesel::query_builder::QueryFragment;
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::result::{Error, OptionalExtension as _, QueryResult};
use diesel::sql_types::{Oid, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

/// The first stand-in: PostgreSQL counts up from 16384, and is not seen to come here.
const FIRST: u32 = 0xF000_0000;

/// The schema, where it is given, and the name.
type Name = (Option<String>, String);

/// The types a query mentions, and where their numbers belong.
#[derive(Debug)]
pub(crate) struct CustomTypes {
    /// The stand-ins of each type and of its arrays.
    stand_ins: HashMap<Name, (u32, u32)>,
    /// Which value mentions one, and at which of its bytes.
    places: Vec<(usize, usize)>,
}

impl CustomTypes {
    /// The values of `query`, and the types of the user's own in them.
    ///
    /// A number inside of a value is found by comparing what two different stand-ins give.
    pub(crate) fn collect(
        query: &impl QueryFragment<Pg>,
    ) -> QueryResult<(RawBytesBindCollector<Pg>, Option<Self>)> {
        let mut zeros = Zeros { asked: false };
        let mut plain = RawBytesBindCollector::new();
        query.collect_binds(&mut plain, &mut zeros, &Pg)?;
        if !zeros.asked {
            return Ok((plain, None));
        }
        let mut names = StandIns::default();
        let mut binds = RawBytesBindCollector::new();
        query.collect_binds(&mut binds, &mut names, &Pg)?;
        let pairs = plain.binds.iter().zip(&binds.binds).enumerate();
        let places = pairs.flat_map(|(bind, (zeros, stand_ins))| {
            let (zeros, stand_ins) = (zeros.as_deref(), stand_ins.as_deref());
            let found = places(zeros.unwrap_or_default(), stand_ins.unwrap_or_default());
            found.into_iter().map(move |byte| (bind, byte))
        });
        let places = places.collect();
        Ok((binds, Some(Self { stand_ins: names.0, places })))
    }
}

/// At which bytes two renderings of one value differ in a stand-in.
fn places(zeros: &[u8], stand_ins: &[u8]) -> Vec<usize> {
    let windows = zeros.windows(4).zip(stand_ins.windows(4)).enumerate();
    let found = windows.filter(|(_, (zero, stand_in))| {
        **zero == [0; 4] && number(stand_in).is_some_and(|number| number >= FIRST)
    });
    found.map(|(byte, _)| byte).collect()
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

/// The numbers known on one connection.
#[derive(Debug, Default)]
pub(crate) struct Types(HashMap<Name, (u32, u32)>);

impl Types {
    /// The values of a query that mentions `custom`, with the numbers filled in.
    pub(crate) async fn resolve(
        &mut self,
        custom: &CustomTypes,
        binds: RawBytesBindCollector<Pg>,
        connection: &mut AsyncPgConnection,
    ) -> QueryResult<RawBytesBindCollector<Pg>> {
        let mut numbers = HashMap::new();
        for (name, stand_ins) in &custom.stand_ins {
            let found = match self.0.get(name) {
                Some(found) => *found,
                None => {
                    let found = ask(name, connection).await?;
                    self.0.insert(name.clone(), found);
                    found
                }
            };
            numbers.extend([(stand_ins.0, found.0), (stand_ins.1, found.1)]);
        }
        Ok(fill_in(binds, &custom.places, &numbers))
    }
}

fn fill_in(
    mut binds: RawBytesBindCollector<Pg>,
    places: &[(usize, usize)],
    numbers: &HashMap<u32, u32>,
) -> RawBytesBindCollector<Pg> {
    let real = |stand_in: u32| numbers.get(&stand_in).copied().unwrap_or(stand_in);
    for metadata in &mut binds.metadata {
        if let (Ok(own), Ok(array)) = (metadata.oid(), metadata.array_oid()) {
            *metadata = PgTypeMetadata::new(real(own), real(array));
        }
    }
    for (bind, byte) in places {
        let value = binds.binds.get_mut(*bind).and_then(Option::as_mut);
        let Some(bytes) = value.and_then(|value| value.get_mut(*byte..*byte + 4)) else { continue };
        if let Some(stand_in) = number(bytes) {
            bytes.copy_from_slice(&real(stand_in).to_be_bytes());
        }
    }
    binds
}

/// The numbers of a type and of its arrays.
async fn ask(name: &Name, connection: &mut AsyncPgConnection) -> QueryResult<(u32, u32)> {
    let (schema, name) = name;
    let select = "SELECT t.oid, t.typarray FROM pg_catalog.pg_type t ";
    let found = match schema {
        Some(schema) => {
            let text = format!(
                "{select} JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = "
            );
            let query = diesel::dsl::sql::<(Oid, Oid)>(&text).bind::<Text, _>(name);
            query.sql(" AND n.nspname = ").bind::<Text, _>(schema).get_result(connection).await
        }
        None => {
            // A type that is missing must not cost a transaction, as a cast would.
            let text =
                format!("{select} WHERE t.oid = pg_catalog.to_regtype(pg_catalog.quote_ident(");
            let query = diesel::dsl::sql::<(Oid, Oid)>(&text).bind::<Text, _>(name);
            query.sql("))").get_result(connection).await
        }
    };
    let missing = || Error::SerializationError(format!("there is no type {name}").into());
    found.optional()?.ok_or_else(missing)
}

/// Gives every type the number zero.
struct Zeros {
    asked: bool,
}

impl PgMetadataLookup for Zeros {
    fn lookup_type(&mut self, _type_name: &str, _schema: Option<&str>) -> PgTypeMetadata {
        self.asked = true;
        PgTypeMetadata::new(0, 0)
    }
}

/// Gives every type a number of its own.
#[derive(Default)]
struct StandIns(HashMap<Name, (u32, u32)>);

impl PgMetadataLookup for StandIns {
    fn lookup_type(&mut self, type_name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let name = (schema.map(str::to_owned), type_name.to_owned());
        let known = u32::try_from(self.0.len()).unwrap_or(0);
        let (own, array) =
            *self.0.entry(name).or_insert((FIRST + 2 * known, FIRST + 2 * known + 1));
        PgTypeMetadata::new(own, array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_inside_of_a_value_are_found_and_replaced() {
        let head = [0, 0, 0, 1, 0, 0, 0, 0];
        let zeros = [&head[..], &[0, 0, 0, 0], &[0, 0, 0, 2]].concat();
        let stand_ins = [&head[..], &FIRST.to_be_bytes(), &[0, 0, 0, 2]].concat();
        assert_eq!(places(&zeros, &stand_ins), [8]);
        let found = [(3, 8)];
        let mut binds = RawBytesBindCollector::<Pg>::new();
        binds.binds = vec![None, None, None, Some(stand_ins)];
        binds.metadata = vec![PgTypeMetadata::new(FIRST + 1, 25); 4];
        let numbers = HashMap::from([(FIRST, 70_000), (FIRST + 1, 70_001)]);
        let filled = fill_in(binds, &found, &numbers);
        assert_eq!(number(&filled.binds[3].as_ref().unwrap()[8..12]), Some(70_000));
        assert_eq!(filled.metadata[0].oid().unwrap(), 70_001);
        assert_eq!(filled.metadata[0].array_oid().unwrap(), 25);
    }

    #[test]
    fn a_type_has_one_number_however_often_it_is_asked_for() {
        let mut names = StandIns::default();
        let first = names.lookup_type("a", None);
        assert_ne!(names.lookup_type("a", Some("s")), first);
        assert_eq!(names.lookup_type("a", None), first);
    }
}
