/* role/control_gate.h - who may come through submit.sock how often: connections at once, and messages a minute, by user id.
 *
 * Root is only bounded by the number of connections of all: who fills that up is not root. Thread-safe.
 * Tests: tests/unit/test_control.c.
 */
#ifndef ROLE_CONTROL_GATE_H
#define ROLE_CONTROL_GATE_H

#include "base/base.h"

struct control_gate;

struct control_gate *control_gate_new(void);
void control_gate_free(struct control_gate **g);

/* One more connection; false: too many. Each true is given back by control_gate_leave. */
MUST_CHECK bool control_gate_enter(struct control_gate *g, uint32_t uid);
void control_gate_leave(struct control_gate *g, uint32_t uid);

/* One more message at that time (monotonic): false: over LIMIT_SUBMIT_RATE in a minute. */
MUST_CHECK bool control_gate_message(struct control_gate *g, uint32_t uid, int64_t now_ms);

#endif
