package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// encodeFact writes a fact for the spool; its kind is that of the lane.
func encodeFact(f Fact) ([]byte, error) {
	var b []byte
	var err error
	if m, ok := f.(Minutes); ok {
		b = encodeMinutes(m)
	} else if b, err = json.Marshal(f); err != nil {
		return nil, fmt.Errorf("encode fact: %w", err)
	}
	if len(b) > MaxFactBytes {
		return nil, fmt.Errorf("encode fact: %d bytes are more than %d", len(b), MaxFactBytes)
	}
	return b, nil
}

func decodeFact(k Kind, b []byte) (Fact, error) {
	switch k {
	case KindAction:
		return decodeJSON[ScalingAction](b)
	case KindEvent:
		return decodeJSON[Event](b)
	case KindDecision:
		return decodeJSON[Decision](b)
	case KindMinutes:
		return decodeMinutes(b)
	case Kinds:
	}
	return nil, fmt.Errorf("decode fact: unknown kind %d", k)
}

func decodeJSON[F Fact](b []byte) (Fact, error) {
	var f F
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("decode fact: %w", err)
	}
	return f, nil
}

// minutesHeader is id, minute and part; then come the length of the node's name, the name, and the data.
const minutesHeader = 16 + 8 + 4

func encodeMinutes(m Minutes) []byte {
	node := m.Node[:min(len(m.Node), 255)]
	b := make([]byte, 0, minutesHeader+1+len(node)+len(m.Data))
	b = append(b, m.ID[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Minute))
	b = binary.LittleEndian.AppendUint32(b, uint32(m.Part))
	b = append(b, byte(len(node)))
	b = append(b, node...)
	return append(b, m.Data...)
}

func decodeMinutes(b []byte) (Fact, error) {
	if len(b) < minutesHeader+1 || len(b) < minutesHeader+1+int(b[minutesHeader]) {
		return nil, errors.New("decode fact: minutes end early")
	}
	m := Minutes{
		ID:     uuid.UUID(b[:16]),
		Minute: int64(binary.LittleEndian.Uint64(b[16:])),
		Part:   int(binary.LittleEndian.Uint32(b[24:])),
	}
	rest := b[minutesHeader+1:]
	n := int(b[minutesHeader])
	m.Node, m.Data = string(rest[:n]), append([]byte(nil), rest[n:]...)
	return m, nil
}

// savedState is a State in the local file.
type savedState struct {
	Kind  string          `json:"kind"`
	State json.RawMessage `json:"state"`
}

func encodeState(s State) (savedState, error) {
	var kind string
	switch s.(type) {
	case Instance:
		kind = "instance"
	case InstanceGone:
		kind = "instance_gone"
	case Breaker:
		kind = "breaker"
	case NodeState:
		kind = "node"
	case TokenUse:
		kind = "token_use"
	default:
		return savedState{}, fmt.Errorf("encode state: unknown %T", s)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return savedState{}, fmt.Errorf("encode state: %w", err)
	}
	return savedState{kind, b}, nil
}

func decodeState(s savedState) (State, error) {
	switch s.Kind {
	case "instance":
		return stateFrom[Instance](s.State)
	case "instance_gone":
		return stateFrom[InstanceGone](s.State)
	case "breaker":
		return stateFrom[Breaker](s.State)
	case "node":
		return stateFrom[NodeState](s.State)
	case "token_use":
		return stateFrom[TokenUse](s.State)
	}
	return nil, fmt.Errorf("decode state: unknown kind %q", s.Kind)
}

func stateFrom[S State](b []byte) (State, error) {
	var s S
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("decode state: %w", err)
	}
	return s, s.Validate()
}
