/* What a run is summed up to. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	/* 32 buckets for each power of two of nanoseconds: read back within 3 %. */
	HISTOGRAM_STEPS = 32,
	HISTOGRAM_BUCKETS = 64 * HISTOGRAM_STEPS,
};

struct load_report {
	uint64_t answered; /* with any status */
	uint64_t dropped;  /* sent, never answered */
	uint64_t unsent;
	uint64_t retry_after; /* answers that had the field */
	uint64_t connected;   /* connections made, the first ones included */
	uint64_t by_status[600];
	uint64_t nanos; /* from the first request to the last answer */
	uint64_t slowest;
	uint64_t histogram[HISTOGRAM_BUCKETS];
	struct {
		bool sent;
		uint64_t under_way; /* when the signal was sent; of those: */
		uint64_t answered;  /* 2xx */
		uint64_t refused;   /* any other status */
		uint64_t dropped;
	} signal;
	uint64_t client_cpu_nanos;
	bool has_server_cpu;
	uint64_t server_cpu_nanos;
};

void load_report_latency(struct load_report *r, uint64_t nanos);
uint64_t load_report_quantile(const struct load_report *r, double q);
/* User and system time of a process so far. false: there is none such. */
bool load_cpu_of(pid_t pid, uint64_t *nanos);
uint64_t load_cpu_own(void);
/* On standard output. */
void load_report_print(const struct load_report *r, bool json);

#endif
