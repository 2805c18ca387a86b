/* Every channel decoder: any octets are refused or survive a round trip. First octet: which message. */
#include "ipc/ipc_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(const struct ipc_shape *shape, struct str in)
{
	struct arena *a = arena_new(NULL);
	void         *msg = arena_alloc(a, shape->size);

	if (ipc_decode(in, NULL, shape, msg, a, IPC_VERSION) == ST_OK) {
		struct buf out;

		buf_init(&out, in.n + 1);
		CHECK(ipc_encode(&out, NULL, shape, msg, IPC_VERSION) == ST_OK);
		CHECK(out.n == in.n);
		buf_clear(&out);
		out.max = MIB;
		ipc_dump(&out, shape, msg);
		buf_done(&out);
	}
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ipc_msg *m;

	if (size < 1)
		return 0;
	m = &ipc_msgs[(data[0] / 2) % IPC_MSG_COUNT];
	one(data[0] & 1 ? &m->request : &m->reply, str_n(data + 1, size - 1));
	return 0;
}
