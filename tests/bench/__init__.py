"""What does a request cost through Stopgap, and through what one would use instead? (docs/performance.md)"""
