//! What all clients asked of some znodes that serve as registers, and were told: for the search in
//! [`super::linearizability`]. Reads count only behind a `sync`, as ZooKeeper promises nothing of others,
//! unless `ottla.linearizableReads` is set.

use ottla_base::random::Random;
use ottla_keeper::jute::Reader;
use ottla_keeper::proto::{CreateMode, ErrorCode, GetDataResponse, Stat};

use super::Check;
use super::client::Ask;
use super::linearizability::{MOST, Op, Operation, Outcome, is_linearizable};
use super::steps::Step;

/// Registers in use at a time.
const WINDOW: usize = 3;
/// Operations after which a register is left alone; those of reads come on top.
const LONGEST: usize = 30;

/// Register and number of the operation.
pub type Place = (usize, usize);

/// All registers.
#[derive(Debug, Default)]
pub struct Histories {
    registers: Vec<Vec<Operation>>,
    moment: u64,
    value: u64,
    /// `ottla.linearizableReads`: all reads count.
    pub all_reads: bool,
}

impl Histories {
    #[must_use]
    pub fn new(all_reads: bool) -> Self {
        Self { all_reads, ..Self::default() }
    }

    /// A number that is greater than all before.
    pub fn moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// A change or a read of a register.
    pub fn choose(&mut self, random: &mut Random) -> Ask {
        let full = self.registers.iter().take_while(|history| history.len() >= LONGEST).count();
        let path = format!("/r/{}", full + random.index(WINDOW));
        self.value += 1;
        let data = self.value.to_be_bytes().to_vec();
        let version = if random.chance(500_000) { -1 } else { random.below(4) as i32 };
        let step = match random.below(10) {
            0..=2 => Step::Create { path, data, mode: CreateMode::Persistent },
            3..=6 => Step::Set { path, data, version },
            7 => Step::Delete { path, version },
            _ => return Ask::Get { path, watch: random.chance(300_000) },
        };
        Ask::Write { steps: vec![step], multi: false }
    }

    /// A change of a register is asked for.
    pub fn asked(&mut self, ask: &Ask) -> Option<Place> {
        let Ask::Write { steps, multi: false } = ask else { return None };
        let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap_or_default());
        let (path, op) = match steps.first()? {
            Step::Create { path, data, .. } => (path, Op::Create { value: number(data) }),
            Step::Set { path, data, version } => (path, Op::Set { value: number(data), expected: *version }),
            Step::Delete { path, version } => (path, Op::Delete { expected: *version }),
            Step::Check { .. } => return None,
        };
        let register = register_of(path)?;
        Some((register, self.push(register, op)))
    }

    fn push(&mut self, register: usize, op: Op) -> usize {
        if self.registers.len() <= register {
            self.registers.resize_with(register + 1, Vec::new);
        }
        let began = self.moment();
        let history = &mut self.registers[register];
        history.push(Operation { op, began, ended: None });
        history.len() - 1
    }

    /// An answer came.
    pub fn answered(&mut self, ask: &Ask, place: Option<Place>, since: Option<u64>, err: i32, body: &[u8]) -> Check {
        let failed = match ErrorCode::from_i32(err) {
            Some(ErrorCode::Ok) => None,
            Some(ErrorCode::NoNode) => Some(Outcome::NoNode),
            Some(ErrorCode::NodeExists) => Some(Outcome::NodeExists),
            Some(ErrorCode::BadVersion) => Some(Outcome::BadVersion),
            _ => return Ok(()),
        };
        let now = self.moment();
        if let Some((register, number)) = place {
            let operation = &mut self.registers[register][number];
            let outcome = match (failed, operation.op) {
                (Some(failed), _) => failed,
                (None, Op::Create { .. }) => Outcome::Created,
                (None, Op::Set { .. }) => {
                    Outcome::Set(Reader::new(body).record::<Stat>().map_err(|e| e.to_string())?.version)
                }
                (None, Op::Delete { .. } | Op::Read) => Outcome::Deleted,
            };
            operation.ended = Some((now, outcome));
        }
        if let (Ask::Get { path, .. }, Some(began)) = (ask, since)
            && let Some(register) = register_of(path)
        {
            let outcome = match failed {
                Some(failed) => failed,
                None => {
                    let told: GetDataResponse<'_> = Reader::new(body).record().map_err(|e| e.to_string())?;
                    let value = told.data.unwrap_or(&[]).try_into().map_or(0, u64::from_be_bytes);
                    Outcome::Read(value, told.stat.version)
                }
            };
            let number = self.push(register, Op::Read);
            let operation = &mut self.registers[register][number];
            (operation.began, operation.ended) = (began, Some((now, outcome)));
        }
        Ok(())
    }

    /// Searches an order for each register; gives how many operations were looked at.
    pub fn verify(&self) -> Result<usize, String> {
        for (register, history) in self.registers.iter().enumerate() {
            if !is_linearizable(history) {
                return Err(format!("no order explains what was told of /r/{register}: {history:#?}"));
            }
        }
        Ok(self.registers.iter().map(Vec::len).filter(|&len| len <= MOST).sum())
    }
}

fn register_of(path: &str) -> Option<usize> {
    path.strip_prefix("/r/")?.parse().ok()
}
