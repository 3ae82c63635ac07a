from eventlog.kafka.log import KafkaLog

__all__ = ["KafkaLog"]
