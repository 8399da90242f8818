//! The operations of a multi and a multiRead (`MultiOperationRecord`).

use crate::jute::{Jute, JuteError, Reader};
use crate::proto::{
    CheckVersionRequest, CreateRequest, CreateTtlRequest, DeleteRequest, MULTI_END, MultiHeader, OpCode,
    PathWatchRequest, SetDataRequest,
};

/// One operation of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op<'a> {
    Create(CreateRequest<'a>),
    Create2(CreateRequest<'a>),
    CreateContainer(CreateRequest<'a>),
    CreateTtl(CreateTtlRequest<'a>),
    Delete(DeleteRequest<'a>),
    SetData(SetDataRequest<'a>),
    Check(CheckVersionRequest<'a>),
    GetData(PathWatchRequest<'a>),
    GetChildren(PathWatchRequest<'a>),
}

impl<'a> Op<'a> {
    #[must_use]
    pub fn op_code(&self) -> OpCode {
        match self {
            Self::Create(_) => OpCode::Create,
            Self::Create2(_) => OpCode::Create2,
            Self::CreateContainer(_) => OpCode::CreateContainer,
            Self::CreateTtl(_) => OpCode::CreateTtl,
            Self::Delete(_) => OpCode::Delete,
            Self::SetData(_) => OpCode::SetData,
            Self::Check(_) => OpCode::Check,
            Self::GetData(_) => OpCode::GetData,
            Self::GetChildren(_) => OpCode::GetChildren,
        }
    }

    /// True for what a multiRead may hold and a multi may not.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::GetData(_) | Self::GetChildren(_))
    }

    fn read(op: i32, reader: &mut Reader<'a>) -> Result<Self, JuteError> {
        Ok(match OpCode::from_i32(op) {
            Some(OpCode::Create) => Self::Create(reader.record()?),
            Some(OpCode::Create2) => Self::Create2(reader.record()?),
            Some(OpCode::CreateContainer) => Self::CreateContainer(reader.record()?),
            Some(OpCode::CreateTtl) => Self::CreateTtl(reader.record()?),
            Some(OpCode::Delete) => Self::Delete(reader.record()?),
            Some(OpCode::SetData) => Self::SetData(reader.record()?),
            Some(OpCode::Check) => Self::Check(reader.record()?),
            Some(OpCode::GetData) => Self::GetData(reader.record()?),
            Some(OpCode::GetChildren) => Self::GetChildren(reader.record()?),
            _ => return Err(JuteError::BadValue(op)),
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        MultiHeader { op: self.op_code().code(), done: false, err: -1 }.write(out);
        match self {
            Self::Create(r) | Self::Create2(r) | Self::CreateContainer(r) => r.write(out),
            Self::CreateTtl(r) => r.write(out),
            Self::Delete(r) => r.write(out),
            Self::SetData(r) => r.write(out),
            Self::Check(r) => r.write(out),
            Self::GetData(r) | Self::GetChildren(r) => r.write(out),
        }
    }
}

/// Reads all operations; reads and writes may not be mixed.
pub fn read_ops<'a>(reader: &mut Reader<'a>) -> Result<Vec<Op<'a>>, JuteError> {
    let mut ops: Vec<Op<'a>> = Vec::new();
    loop {
        let header: MultiHeader = reader.record()?;
        if header.done {
            return Ok(ops);
        }
        let op = Op::read(header.op, reader)?;
        if ops.first().is_some_and(|first| first.is_read() != op.is_read()) {
            return Err(JuteError::BadValue(header.op));
        }
        ops.push(op);
    }
}

/// Writes the body of a multi or multiRead.
pub fn write_ops(ops: &[Op<'_>], out: &mut Vec<u8>) {
    ops.iter().for_each(|op| op.write(out));
    MULTI_END.write(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_round_trip() {
        let ops = [
            Op::Check(CheckVersionRequest { path: "/a", version: 3 }),
            Op::Delete(DeleteRequest { path: "/a", version: -1 }),
        ];
        let mut bytes = Vec::new();
        write_ops(&ops, &mut bytes);
        assert_eq!(read_ops(&mut Reader::new(&bytes)), Ok(ops.to_vec()));
        assert_eq!(read_ops(&mut Reader::new(&bytes[..bytes.len() - 1])), Err(JuteError::Truncated));
    }

    #[test]
    fn reads_and_writes_do_not_mix() {
        let ops = [
            Op::GetData(PathWatchRequest { path: "/a", watch: false }),
            Op::Delete(DeleteRequest { path: "/a", version: -1 }),
        ];
        let mut bytes = Vec::new();
        write_ops(&ops, &mut bytes);
        assert_eq!(read_ops(&mut Reader::new(&bytes)), Err(JuteError::BadValue(2)));
    }
}
